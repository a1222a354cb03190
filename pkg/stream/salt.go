package stream

import "github.com/twmb/franz-go/pkg/kgo"

// MaxSalts is the largest number of partitions over which a product's messages may be distributed.
const MaxSalts = 256

// saltValues holds the possible values of headerSalt. Records refer to it instead of allocating a value each.
var saltValues = func() (all [MaxSalts]byte) {
	for i := range all {
		all[i] = byte(i)
	}
	return all
}()

// SetSalt moves the last added record to one of salts partitions: the product's own and those after it. Records with
// the same entityHash share a partition. The header headerSalt keeps the distance, so that readers and replays find
// the same partition even if the product's number of salts changes.
func (o *Request) SetSalt(entityHash uint32, salts int) {
	if distance := entityHash % uint32(salts); distance > 0 {
		o.header(headerSalt, saltValues[distance:distance+1])
	}
}

// saltedPartitioner is Kafka's default partitioner (murmur2 of the key), plus the distance in headerSalt.
type saltedPartitioner struct{ kgo.Partitioner }

func newPartitioner() kgo.Partitioner { return saltedPartitioner{kgo.StickyKeyPartitioner(nil)} }

// ForTopic implements kgo.Partitioner.
func (s saltedPartitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return saltedTopicPartitioner{s.Partitioner.ForTopic(topic)}
}

type saltedTopicPartitioner struct{ kgo.TopicPartitioner }

// Partition implements kgo.TopicPartitioner.
func (s saltedTopicPartitioner) Partition(r *kgo.Record, partitions int) int {
	return (s.TopicPartitioner.Partition(r, partitions) + saltOf(r)) % partitions
}

func saltOf(r *kgo.Record) int {
	for i := range r.Headers {
		if h := &r.Headers[i]; h.Key == headerSalt && len(h.Value) == 1 {
			return int(h.Value[0])
		}
	}
	return 0
}
