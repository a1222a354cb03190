package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrRecordDeleted means that a record is not in the log any more.
var ErrRecordDeleted = errors.New("the record is not in the log any more")

// readTimeout bounds one attempt to read a record.
const readTimeout = 10 * time.Second

// Read reads the record at an offset. It opens a connection for each call, so use it rarely.
func (c *Client) Read(ctx context.Context, p Partition, offset int64) (e Record, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	kafka, err := kgo.NewClient(c.options(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.Topic: {p.ID: kgo.NewOffset().At(offset)}}),
		kgo.FetchMaxPartitionBytes(1), // a broker sends at least one batch
	)...)
	if err != nil {
		return e, fmt.Errorf("configure the Kafka client: %w", err)
	}
	defer kafka.Close()
	fetches := kafka.PollRecords(ctx, 1)
	if err := fetches.Err(); err != nil {
		return e, fmt.Errorf("read %s at %d: %w", p, offset, err)
	}
	records := fetches.Records()
	if len(records) == 0 || records[0].Offset != offset {
		return e, fmt.Errorf("read %s at %d: %w", p, offset, ErrRecordDeleted)
	}
	e.decode(records[0])
	return e, nil
}
