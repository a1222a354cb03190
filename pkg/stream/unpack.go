package stream

import (
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// unpackLimit bounds the bytes of records that the Kafka client unpacks before they are polled. A fetch is bounded by
// its compressed bytes only, and messages may compress a thousandfold.
//
// At the limit, the client's decompressor returns an error. The client then returns the records that it has unpacked of
// the partition, and fetches the rest again. If it has none, it returns the error, which Poll ignores.
//
// The client has at most one fetch of each broker at a time. So bytes are counted by broker, and the count of a broker
// is reset when its records are polled. A poll that returns a part of a fetch resets the count as well: each of the
// concurrent fetches may exceed the limit once.
type unpackLimit struct {
	kgo.Decompressor
	max int64 // bytes; 0 is no limit

	mu      sync.Mutex
	bytes   int64 // of all brokers
	brokers map[int32]*unpacked
	fetched map[Partition]int32 // the broker that each partition was fetched from last
}

// unpacked counts the bytes of one broker.
type unpacked struct {
	bytes int64
	last  time.Time // when they were counted
}

func newUnpackLimit(maxBytes int64) *unpackLimit {
	return &unpackLimit{
		Decompressor: kgo.DefaultDecompressor(), max: maxBytes,
		brokers: map[int32]*unpacked{}, fetched: map[Partition]int32{},
	}
}

// errUnpackLimit means that a fetch has more bytes than may be unpacked at present.
var errUnpackLimit = errors.New("the fetched records exceed the limit on unpacked bytes")

// Decompress implements kgo.Decompressor.
func (l *unpackLimit) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	l.mu.Lock()
	exceeded := l.max > 0 && l.bytes >= l.max
	l.mu.Unlock()
	if exceeded {
		return nil, errUnpackLimit
	}
	return l.Decompressor.Decompress(src, codec)
}

// OnFetchBatchRead implements kgo.HookFetchBatchRead. It is called after each batch is unpacked.
func (l *unpackLimit) OnFetchBatchRead(broker kgo.BrokerMetadata, topic string, id int32, m kgo.FetchBatchMetrics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.brokers[broker.NodeID]
	if u == nil {
		u = &unpacked{}
		l.brokers[broker.NodeID] = u
	}
	n := int64(m.UncompressedBytes)
	u.bytes, u.last, l.bytes = u.bytes+n, time.Now(), l.bytes+n
	l.fetched[Partition{topic, id}] = broker.NodeID
}

// unpackTimeout is longer than a batch is unpacked.
const unpackTimeout = time.Second

// polled resets the counts of the brokers that the polled records are from. If no other records are buffered, it also
// resets old counts: the client discards records of paused and revoked partitions.
func (l *unpackLimit) polled(fetches kgo.Fetches, buffered int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if broker, ok := l.fetched[Partition{p.Topic, p.Partition}]; ok {
			l.reset(l.brokers[broker])
		}
	})
	for _, u := range l.brokers {
		if buffered == 0 && time.Since(u.last) > unpackTimeout {
			l.reset(u)
		}
	}
}

func (l *unpackLimit) reset(u *unpacked) {
	l.bytes -= u.bytes
	u.bytes = 0
}
