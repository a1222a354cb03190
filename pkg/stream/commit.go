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

// ErrInstanceIDTaken is an ErrFenced by a member with the same instance id. That may have been this one's own attempt
// to join, of which it did not hear; if it comes again and again, there is another loader of that name.
var ErrInstanceIDTaken = fmt.Errorf("the same --instance-id has joined once more: %w", ErrFenced)

// commitTimeout bounds one attempt to commit.
const commitTimeout = 5 * time.Second

// Commit notes that everything before next is done. It counts only as the member that p was assigned to:
// a member the group has given up on joins it again under a new name, and would then take back the
// progress of whoever had the partition meanwhile.
func (c *Consumer) Commit(ctx context.Context, p Partition, next int64) error {
	if err := c.commitExclusively(ctx, p, next, ""); err != nil {
		return fmt.Errorf("commit %s: %w", p, err)
	}
	return nil
}

// Prepare notes that everything before first is done, and that what comes before until is about to be written as
// one block. Whoever has the partition next, be it after a crash, finds that in Batch.Prepared and makes the same
// block of it, which is then recognised if it has been written.
func (c *Consumer) Prepare(ctx context.Context, p Partition, first, until int64) error {
	if err := c.commitExclusively(ctx, p, first, preparedPrefix+strconv.FormatInt(until, 10)); err != nil {
		return fmt.Errorf("prepare %s: %w", p, err)
	}
	return nil
}

const preparedPrefix = "prepared until "

// readPrepared takes up what the last owners had prepared.
func (c *Consumer) readPrepared(_ context.Context, _ *kgo.Client, answer *kmsg.OffsetFetchResponse) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	note := func(topic string, id int32, offset int64, metadata *string) {
		if offset >= 0 {
			c.expected[Partition{topic, id}] = offset
		}
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
			p := &answer.Topics[i].Partitions[j]
			note(answer.Topics[i].Topic, p.Partition, p.Offset, p.Metadata)
		}
	}
	for i := range answer.Groups {
		for j := range answer.Groups[i].Topics {
			for k := range answer.Groups[i].Topics[j].Partitions {
				p := &answer.Groups[i].Topics[j].Partitions[k]
				note(answer.Groups[i].Topics[j].Topic, p.Partition, p.Offset, p.Metadata)
			}
		}
	}
	return nil
}

func (c *Consumer) commitExclusively(ctx context.Context, p Partition, offset int64, metadata string) error {
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

// errJoining means that the Kafka client holds commits back, because it waits for the group to share out partitions.
var errJoining = errors.New("the consumer group is being joined")

// joinTimeout is how long a commit waits for that before it goes past the client. One that is not held back is
// on its way at once.
const joinTimeout = 20 * time.Millisecond

func (c *Consumer) commit(ctx context.Context, p Partition, offset int64, metadata string) error {
	c.mu.Lock()
	member := c.members[p]
	c.mu.Unlock()
	err := c.commitSettled(ctx, p, member, offset, metadata)
	if errors.Is(err, errJoining) {
		err = c.commitJoining(ctx, p, member, offset, metadata)
	}
	return err
}

// commitSettled commits through the Kafka client, which makes no commit while it joins.
func (c *Consumer) commitSettled(ctx context.Context, p Partition, member string, offset int64, metadata string) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	patience := time.AfterFunc(joinTimeout, func() { giveUp(errJoining) })
	defer patience.Stop()
	ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		if !patience.Stop() {
			return errJoining // it is made the other way: never both
		}
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
	c.kafka.CommitOffsetsSync(
		ctx,
		offsets,
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
			failed = commitError(answer, err)
		},
	)
	switch {
	case failed != nil && errors.Is(context.Cause(ctx), errJoining):
		return errJoining
	case errors.Is(failed, kerr.IllegalGeneration):
		return fmt.Errorf("%w: %w", ErrFenced, failed)
	}
	return fenced(failed)
}

// commitJoining commits while the group waits for members that are slow to join it, or dead: for up to a session's
// time-out, in which the others' partitions would stand still. Until all have joined, the group takes commits of the
// generation before. When it has moved on to the next, this member learns of it in a moment: what is refused until
// then is tried again, and a partition that has gone to somebody else is not ours any more when we do know.
func (c *Consumer) commitJoining(ctx context.Context, p Partition, member string, offset int64, metadata string) error {
	now, generation := c.kafka.GroupMetadata()
	if member == "" || now != member {
		return ErrFenced
	}
	partition := kmsg.NewOffsetCommitRequestTopicPartition()
	partition.Partition, partition.Offset, partition.Metadata = p.ID, offset, &metadata
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.Partitions = p.Topic, append(topic.Partitions, partition)
	c.mu.Lock()
	topic.TopicID = c.topicIDs[p.Topic]
	c.mu.Unlock()
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Group, request.MemberID, request.Generation = c.config.Group, member, generation
	if c.config.InstanceID != "" {
		request.InstanceID = &c.config.InstanceID
	}
	request.Topics = append(request.Topics, topic)
	return fenced(commitError(request.RequestWith(ctx, c.kafka)))
}

// fenced marks the errors that say that this member is none any more.
func fenced(err error) error {
	switch {
	case errors.Is(err, kerr.UnknownMemberID):
		return fmt.Errorf("%w: %w", ErrFenced, err)
	case errors.Is(err, kerr.FencedInstanceID):
		return fmt.Errorf("%w: %w", ErrInstanceIDTaken, err)
	}
	return err
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
