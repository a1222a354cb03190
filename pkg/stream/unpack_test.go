package stream

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// 48 MiB of records take some kilobytes in the log, so that one fetch returns them all.
func TestConsumer_CompressibleRecords_UnpacksNoMoreThanTheLimit(t *testing.T) {
	const n, size, limit = 96, 512 << 10, 4 << 20
	_, c := started(t)
	kafka := foreign(t, c, kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range n { // a batch each
		record := &kgo.Record{Topic: c.Topics().Ingest, Partition: int32(i % 2), Value: bytes.Repeat([]byte("x"), size)}
		require.NoError(t, kafka.ProduceSync(t.Context(), record).FirstErr())
	}
	for name, row := range map[string]struct {
		limit, least, most int64
	}{
		"limit":                 {limit, 0, limit + size + 1<<10},
		"the control: no limit": {0, n / 2 * size, 1 << 40},
	} {
		t.Run(name, func(t *testing.T) {
			config := ConsumerConfig{
				Group: name, SessionTimeout: minSessionTimeout, RebalanceTimeout: 10 * time.Second,
				FetchBytes: 1 << 20, FetchPartition: 1 << 20, ConcurrentFetches: 1, MaxUnpackedBytes: row.limit,
			}
			consumer, err := clientFor(t, c.config).NewConsumer(config, ignoringOwner{}, c.Topics().Ingest)
			require.NoError(t, err)
			defer consumer.Close(t.Context())
			next, records, largest := map[Partition]int64{}, 0, int64(0)
			for records < n {
				fetched := int64(0)
				require.NoError(t, consumer.Poll(t.Context(), func(b *Batch) {
					for i := range b.Len() {
						require.Equal(t, next[b.Partition], b.Offset(i))
						next[b.Partition]++
						records++
					}
					fetched += b.Bytes
				}))
				largest = max(largest, fetched)
			}
			require.LessOrEqual(t, largest, row.most)
			require.GreaterOrEqual(t, largest, row.least)
		})
	}
}

type ignoringOwner struct{}

func (ignoringOwner) Assigned([]Partition)      {}
func (ignoringOwner) Revoked([]Partition, bool) {}

// The client discards records of partitions that are paused or revoked. They must not count for ever.
func TestUnpackLimit_DiscardedRecords_AreForgotten(t *testing.T) {
	l := newUnpackLimit(100)
	l.OnFetchBatchRead(kgo.BrokerMetadata{NodeID: 1}, "t", 0, kgo.FetchBatchMetrics{UncompressedBytes: 100})
	_, err := l.Decompress(nil, 0)
	require.ErrorIs(t, err, errUnpackLimit)
	l.polled(nil, 0)
	require.Equal(t, int64(100), l.bytes, "they may be unpacked at this moment")
	l.brokers[1].last = time.Now().Add(-2 * unpackTimeout)
	l.polled(nil, 5)
	require.Equal(t, int64(100), l.bytes, "they may be among the buffered records")
	l.polled(nil, 0)
	require.Zero(t, l.bytes)
	_, err = l.Decompress(nil, 0)
	require.NoError(t, err)
}
