package stream

import (
	"bytes"
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// IngestPartitions returns the number of partitions of the ingest topic.
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

// keySeparator stands between workspace and product in a key. Ids have printable characters only, so none contains it.
const keySeparator = 0

// appendKey appends the key of a product's records. Products of two workspaces have different keys, whatever their ids.
func appendKey(b []byte, workspace, product string) []byte {
	return append(append(append(b, workspace...), keySeparator), product...)
}

// splitKey returns the parts of a key. A key without separator is a product of an unknown workspace.
func splitKey(key []byte) (workspace, product []byte) {
	if i := bytes.IndexByte(key, keySeparator); i >= 0 {
		return key[:i], key[i+1:]
	}
	return nil, key
}

// PartitionOf returns the partition of a product's key by Kafka's default partitioning (murmur2). Records with a
// salt are in the partitions after it.
func PartitionOf(workspace, product string, partitions int32) int32 {
	keyed := newPartitioner().ForTopic("")
	return int32(keyed.Partition(&kgo.Record{Key: appendKey(nil, workspace, product)}, int(partitions)))
}
