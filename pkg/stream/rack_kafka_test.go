//go:build apachekafka

package stream

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchedFrom counts the bytes of fetches by the node they came from.
type fetchedFrom struct {
	mu    sync.Mutex
	bytes map[int32]int
	all   int
}

func (f *fetchedFrom) OnBrokerRead(from kgo.BrokerMetadata, key int16, read int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.Fetch) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.bytes[from.NodeID] += read
		f.all += read
	}
}

// Each node of the cluster is a rack of its own, and has a replica of everything.
func TestRecordsComeFromTheNearestReplica(t *testing.T) {
	_, c := started(t)
	kafka := foreign(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	var records []*kgo.Record
	for i := range int32(20) {
		records = append(records, &kgo.Record{Topic: c.Topics().Ingest, Partition: i % 4, Value: bytes.Repeat([]byte("v"), 100_000)})
	}
	require.NoError(t, kafka.ProduceSync(t.Context(), records...).FirstErr())
	share := func(rack string) float64 {
		config := c.config
		config.Access.Rack = rack
		counted := &fetchedFrom{bytes: map[int32]int{}}
		near := clientFor(t, config)
		reader, err := kgo.NewClient(near.options(near.config.Access.nearestReplica(), kgo.WithHooks(counted), kgo.FetchMaxWait(fetchMaxWait), kgo.ConsumeTopics(c.Topics().Ingest), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
		require.NoError(t, err)
		defer reader.Close()
		for n := 0; n < 20; {
			fetches := reader.PollFetches(t.Context())
			require.NoError(t, fetches.Err())
			n += fetches.NumRecords()
		}
		counted.mu.Lock()
		defer counted.mu.Unlock()
		return float64(counted.bytes[2]) / float64(counted.all)
	}
	require.Greater(t, share("rack-2"), 0.9)
	require.Less(t, share(""), 0.9, "the control: node 2 does not lead all partitions")
}
