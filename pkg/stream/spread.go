package stream

import "github.com/twmb/franz-go/pkg/kgo"

// MaxSpread is the most partitions that a product's messages may be spread over.
const MaxSpread = 256

// shifts are the values of headerSpread, which records refer to.
var shifts = func() (all [MaxSpread]byte) {
	for i := range all {
		all[i] = byte(i)
	}
	return all
}()

// Spread puts the record that was added last into one of so many partitions: the product's own and those behind it.
// Records of one subject come into the same. How far behind it is stands in the record, so that whoever reads it or
// writes it again comes to the same partition, whatever the product is spread over by then.
func (o *Outgoing) Spread(subject uint32, over int) {
	if shift := subject % uint32(over); shift > 0 {
		o.header(headerSpread, shifts[shift:shift+1])
	}
}

// spreading is Kafka's default partitioning (murmur2 of the key), and for records that say so a partition behind that.
type spreading struct{ kgo.Partitioner }

func newPartitioner() kgo.Partitioner { return spreading{kgo.StickyKeyPartitioner(nil)} }

// ForTopic is for kgo.Partitioner.
func (s spreading) ForTopic(topic string) kgo.TopicPartitioner {
	return spreadingOf{s.Partitioner.ForTopic(topic)}
}

type spreadingOf struct{ kgo.TopicPartitioner }

// Partition is for kgo.TopicPartitioner.
func (s spreadingOf) Partition(r *kgo.Record, partitions int) int {
	return (s.TopicPartitioner.Partition(r, partitions) + shiftOf(r)) % partitions
}

func shiftOf(r *kgo.Record) int {
	for i := range r.Headers {
		if h := &r.Headers[i]; h.Key == headerSpread && len(h.Value) == 1 {
			return int(h.Value[0])
		}
	}
	return 0
}
