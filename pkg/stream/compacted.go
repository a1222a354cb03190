package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// CompactedTopic is a compacted topic of one partition: for each key the last value counts. It is written by few
// and followed by all.
type CompactedTopic struct {
	client *Client
	topic  string

	applied   atomic.Int64 // the offset before which everything has been applied
	currentAt atomic.Pointer[time.Time]
}

// ConnectionsTopic is the log behind the registry of connections.
func (c *Client) ConnectionsTopic() *CompactedTopic {
	return &CompactedTopic{client: c, topic: c.topics.Connections}
}

// Append writes a value for a key, nil to delete it, and returns when it is acknowledged by all
// in-sync replicas.
func (l *CompactedTopic) Append(ctx context.Context, key string, value []byte) error {
	r := &kgo.Record{Topic: l.topic, Key: []byte(key), Value: value}
	if err := l.client.kafka.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("write to topic %s: %w", l.topic, err)
	}
	return nil
}

// CurrentAt is the instant for which it is confirmed that all that was written before it has been
// applied; zero until the end has been reached for the first time. It has a monotonic reading.
func (l *CompactedTopic) CurrentAt() time.Time {
	if at := l.currentAt.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// confirmEvery is how often the log's end is asked for. It bounds how old CurrentAt is while all is
// well.
const confirmEvery = 200 * time.Millisecond

// Follow applies the log from its start and goes on with what is written to it, until ctx ends. apply
// is called from one goroutine; a nil value is a deletion.
func (l *CompactedTopic) Follow(ctx context.Context, apply func(key string, value []byte)) error {
	kafka, err := l.consumer()
	if err != nil {
		return err
	}
	defer kafka.Close()
	var confirming sync.WaitGroup
	defer confirming.Wait()
	confirming.Go(func() { l.confirm(ctx) })
	for ctx.Err() == nil {
		l.poll(ctx, kafka, apply)
	}
	return ctx.Err()
}

func (l *CompactedTopic) poll(ctx context.Context, kafka *kgo.Client, apply func(key string, value []byte)) {
	fetches := kafka.PollFetches(ctx)
	fetches.EachRecord(func(r *kgo.Record) {
		apply(string(r.Key), r.Value)
		l.applied.Store(r.Offset + 1)
	})
	fetches.EachError(func(topic string, _ int32, err error) {
		if ctx.Err() == nil {
			l.client.log.Warn("cannot read the registry of connections, trying again", "topic", topic, "error", err)
		}
	})
}

// confirm moves CurrentAt. The order is what makes it true: the clock is read, then the end is asked
// for, then it is waited until everything before that end has been applied. Whatever was acknowledged
// before the clock was read lies before that end.
func (l *CompactedTopic) confirm(ctx context.Context) {
	ticker := time.NewTicker(confirmEvery)
	defer ticker.Stop()
	for {
		before, applied := time.Now(), l.applied.Load()
		end, err := l.end(ctx)
		// An end before the applied offset belongs to another topic, recreated under the same name.
		if err == nil && end >= applied && l.awaitApplied(ctx, end) {
			l.currentAt.Store(&before)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// awaitApplied waits a while for the follower to come to end.
func (l *CompactedTopic) awaitApplied(ctx context.Context, end int64) bool {
	for wait := time.Millisecond; l.applied.Load() < end; wait = min(2*wait, confirmEvery/4) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (l *CompactedTopic) end(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	listed, err := l.client.admin.ListEndOffsets(ctx, l.topic)
	if err != nil {
		return 0, fmt.Errorf("ask for the end of topic %s: %w", l.topic, err)
	}
	return endOf(listed, l.topic)
}

func endOf(listed kadm.ListedOffsets, topic string) (int64, error) {
	offset, ok := listed.Lookup(topic, 0)
	switch {
	case !ok:
		return 0, fmt.Errorf("topic %s: %w", topic, kerr.UnknownTopicOrPartition)
	case offset.Err != nil:
		return 0, fmt.Errorf("topic %s: %w", topic, offset.Err)
	}
	return offset.Offset, nil
}

func (l *CompactedTopic) consumer() (*kgo.Client, error) {
	kafka, err := kgo.NewClient(l.client.options(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{l.topic: {0: kgo.NewOffset().AtStart()}}),
	)...)
	if err != nil {
		return nil, fmt.Errorf("configure the reader of topic %s: %w", l.topic, err)
	}
	return kafka, nil
}
