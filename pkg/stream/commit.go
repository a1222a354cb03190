package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrFenced means that the group has moved on without this member: what it holds is not its own any
// more, and nothing of it counts.
var ErrFenced = errors.New("the consumer group has moved on")

// commitTimeout bounds one attempt to commit.
const commitTimeout = 5 * time.Second

// Commit notes that everything before next is done. It counts only as the member that p was assigned to:
// a member the group has given up on joins it again under a new name, and would then take back the
// progress of whoever had the partition meanwhile.
func (c *Consumer) Commit(ctx context.Context, p Partition, next int64) error {
	if err := c.note(ctx, p, next, ""); err != nil {
		return fmt.Errorf("commit %s: %w", p, err)
	}
	return nil
}

// Prepare notes that everything before first is done, and that what comes before until is about to be written as
// one block. Whoever has the partition next, be it after a crash, finds that in Batch.Prepared and makes the same
// block of it, which is then recognised if it has been written.
func (c *Consumer) Prepare(ctx context.Context, p Partition, first, until int64) error {
	if err := c.note(ctx, p, first, preparedPrefix+strconv.FormatInt(until, 10)); err != nil {
		return fmt.Errorf("prepare %s: %w", p, err)
	}
	return nil
}

const preparedPrefix = "prepared until "

// fetched takes up what the last owners had prepared.
func (c *Consumer) fetched(_ context.Context, _ *kgo.Client, answer *kmsg.OffsetFetchResponse) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	note := func(topic string, id int32, metadata *string) {
		if metadata == nil {
			return
		}
		if text, ok := strings.CutPrefix(*metadata, preparedPrefix); ok {
			if until, err := strconv.ParseInt(text, 10, 64); err == nil {
				c.prepared[Partition{topic, id}] = until
			}
		}
	}
	for i := range answer.Topics {
		for j := range answer.Topics[i].Partitions {
			note(answer.Topics[i].Topic, answer.Topics[i].Partitions[j].Partition, answer.Topics[i].Partitions[j].Metadata)
		}
	}
	for i := range answer.Groups {
		for j := range answer.Groups[i].Topics {
			for k := range answer.Groups[i].Topics[j].Partitions {
				note(answer.Groups[i].Topics[j].Topic, answer.Groups[i].Topics[j].Partitions[k].Partition, answer.Groups[i].Topics[j].Partitions[k].Metadata)
			}
		}
	}
	return nil
}

func (c *Consumer) note(ctx context.Context, p Partition, offset int64, metadata string) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	// The client makes one commit after the other and does not look at ctx while it waits.
	select {
	case c.committing <- struct{}{}:
		defer func() { <-c.committing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.commit(ctx, p, offset, metadata)
}

func (c *Consumer) commit(ctx context.Context, p Partition, offset int64, metadata string) error {
	c.mu.Lock()
	member := c.members[p]
	c.mu.Unlock()
	ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		if member == "" || request.MemberID != member {
			return ErrFenced
		}
		for i := range request.Topics {
			for j := range request.Topics[i].Partitions {
				request.Topics[i].Partitions[j].Metadata = &metadata
			}
		}
		return nil
	})
	offsets := map[string]map[int32]kgo.EpochOffset{p.Topic: {p.ID: {Epoch: -1, Offset: offset}}}
	var failed error
	c.kafka.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
		failed = commitError(answer, err)
	})
	if isFenced(failed) {
		return fmt.Errorf("%w: %w", ErrFenced, failed)
	}
	return failed
}

func commitError(answer *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, topic := range answer.Topics {
		for _, partition := range topic.Partitions {
			if err := kerr.ErrorForCode(partition.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}
