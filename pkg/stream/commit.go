package stream

import (
	"context"
	"errors"
	"fmt"
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
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	// The client makes one commit after the other and does not look at ctx while it waits.
	select {
	case c.committing <- struct{}{}:
		defer func() { <-c.committing }()
	case <-ctx.Done():
		return fmt.Errorf("commit %s: %w", p, ctx.Err())
	}
	if err := c.commit(ctx, p, next); err != nil {
		return fmt.Errorf("commit %s: %w", p, err)
	}
	return nil
}

func (c *Consumer) commit(ctx context.Context, p Partition, next int64) error {
	c.mu.Lock()
	member := c.members[p]
	c.mu.Unlock()
	ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		if member == "" || request.MemberID != member {
			return ErrFenced
		}
		return nil
	})
	offsets := map[string]map[int32]kgo.EpochOffset{p.Topic: {p.ID: {Epoch: -1, Offset: next}}}
	var failed error
	c.kafka.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
		failed = commitError(answer, err)
	})
	switch {
	case errors.Is(failed, kerr.IllegalGeneration), errors.Is(failed, kerr.UnknownMemberID), errors.Is(failed, kerr.FencedInstanceID):
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
