package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Tail reads the end of some partitions for people to look at. What comes faster than it may read, it leaves out, so
// that looking costs the same however much comes in.
type Tail struct {
	kafka     *kgo.Client
	maxBehind int64 // how far behind a partition may be read
}

// TailConfig says what is looked at.
type TailConfig struct {
	Partitions []Partition
	Last       int64 // how many records before the end of each partition to begin with
	MaxBehind  int64 // maximum lag in records; a partition further behind is read from its end
}

// tailFetchBytes bounds what is fetched of a partition at once. A broker sends at least one batch.
const tailFetchBytes = 64 << 10

// NewTail begins to read. Its entries are those that are written from now on, and config.Back before.
func (c *Client) NewTail(config TailConfig) (*Tail, error) {
	from := map[string]map[int32]kgo.Offset{}
	for _, p := range config.Partitions {
		if from[p.Topic] == nil {
			from[p.Topic] = map[int32]kgo.Offset{}
		}
		from[p.Topic][p.ID] = kgo.NewOffset().AtEnd().Relative(-config.Last)
	}
	kafka, err := kgo.NewClient(c.options(
		kgo.ConsumePartitions(from),
		c.config.Access.nearestReplica(),
		kgo.FetchMaxPartitionBytes(tailFetchBytes),
		kgo.FetchMaxBytes(tailFetchBytes*8),
		kgo.MaxConcurrentFetches(1),
	)...)
	if err != nil {
		return nil, fmt.Errorf("configure the reader of a tail: %w", err)
	}
	return &Tail{kafka: kafka, maxBehind: max(1, config.MaxBehind/int64(max(1, len(config.Partitions))))}, nil
}

// Close ends the connections.
func (t *Tail) Close() { t.kafka.Close() }

// TailRecord is an entry and where it is.
type TailRecord struct {
	Partition
	Record
}

// TailBatch is what a moment's reading brought.
type TailBatch struct {
	Entries []TailRecord
	Skipped int64 // records that were left out
}

// Next waits for records, but no longer than wait, and brings so many at most. The error is ctx's, or the brokers'.
func (t *Tail) Next(ctx context.Context, wait time.Duration, most int) (batch TailBatch, err error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fetches := t.kafka.PollRecords(waiting, most)
	if ctx.Err() != nil {
		return batch, ctx.Err()
	}
	skip := map[string]map[int32]kgo.EpochOffset{}
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if f.Err != nil && waiting.Err() == nil {
			err = fmt.Errorf("read %s/%d: %w", f.Topic, f.Partition, withRemedy(f.Err))
			return
		}
		t.add(&f, &batch, skip)
	})
	if len(skip) > 0 {
		t.kafka.SetOffsets(skip)
	}
	return batch, err
}

// add adds a partition's records to the look, and notes where to go on if there are more than anybody looks at.
func (t *Tail) add(f *kgo.FetchTopicPartition, batch *TailBatch, skip map[string]map[int32]kgo.EpochOffset) {
	if len(f.Records) == 0 {
		return
	}
	p := Partition{f.Topic, f.Partition}
	for _, r := range f.Records {
		tailed := TailRecord{Partition: p}
		tailed.decode(r)
		batch.Entries = append(batch.Entries, tailed)
	}
	next := f.Records[len(f.Records)-1].Offset + 1
	if behind := f.HighWatermark - next; behind > t.maxBehind {
		left := behind - t.maxBehind/2
		batch.Skipped += left
		if skip[p.Topic] == nil {
			skip[p.Topic] = map[int32]kgo.EpochOffset{}
		}
		skip[p.Topic][p.ID] = kgo.EpochOffset{Epoch: -1, Offset: next + left}
	}
}

// PartitionsOf are those of the ingest topic that a product's messages are in, and those of the dead letters that its
// own are in.
func (c *Client) PartitionsOf(ctx context.Context, workspace, product string, salts int) ([]Partition, error) {
	var all []Partition
	for _, topic := range []string{c.topics.Ingest, c.topics.DeadLetters} {
		details, err := c.admin.ListTopics(ctx, topic)
		if err == nil {
			err = details.Error()
		}
		if err != nil {
			return nil, fmt.Errorf("list the partitions of %s: %w", topic, err)
		}
		n := int32(len(details[topic].Partitions))
		own := PartitionOf(workspace, product, n)
		for behind := range min(int32(max(salts, 1)), n) {
			all = append(all, Partition{topic, (own + behind) % n})
		}
	}
	return all, nil
}

// Lag is how many records of the ingest topic the loaders' group has not committed.
func (c *Client) Lag(ctx context.Context, group string) (int64, error) {
	lags, err := c.admin.Lag(ctx, group)
	if err != nil {
		return 0, fmt.Errorf("ask for the lag of %s: %w", group, err)
	}
	l := lags[group]
	if err := l.Error(); err != nil {
		return 0, fmt.Errorf("ask for the lag of %s: %w", group, err)
	}
	var records int64
	for _, p := range l.Lag.Sorted() {
		if p.Topic == c.topics.Ingest {
			records += max(p.Lag, 0)
		}
	}
	return records, nil
}
