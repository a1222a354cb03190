package stream

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// IngestPartitions is how many partitions the ingest topic has.
func (c *Client) IngestPartitions(ctx context.Context) (int32, error) {
	details, err := c.admin.ListTopics(ctx, c.topics.Ingest)
	if err == nil {
		err = details.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("list the partitions of %s: %w", c.topics.Ingest, err)
	}
	return int32(len(details[c.topics.Ingest].Partitions)), nil
}

// PartitionOf is a product's own partition, by Kafka's default partitioning: where its messages are, or the first of
// those that they are spread over.
func PartitionOf(product string, partitions int32) int32 {
	keyed := newPartitioner().ForTopic("")
	return int32(keyed.Partition(&kgo.Record{Key: []byte(product)}, int(partitions)))
}
