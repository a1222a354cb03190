package stream

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestSaltedRecords_GoToThePartitionsAfterTheProductsOwn(t *testing.T) {
	partitioner := newPartitioner().ForTopic("")
	require.True(t, partitioner.RequiresConsistency(&kgo.Record{Key: []byte("w\x00p")}), "a partition without a leader is waited for")
	own := int(PartitionOf("w", "p", 7))
	for subject := range uint32(20) {
		out := &Request{records: []kgo.Record{{Key: []byte("w\x00p")}}}
		out.SetSalt(subject, 3)
		require.Equal(t, (own+int(subject%3))%7, partitioner.Partition(&out.records[0], 7))
	}
	wide := &Request{records: []kgo.Record{{Key: []byte("w\x00p")}}}
	wide.SetSalt(MaxSalts-1, MaxSalts)
	require.Equal(t, (own+MaxSalts-1)%7, partitioner.Partition(&wide.records[0], 7))
	require.Equal(t, own, partitioner.Partition(&kgo.Record{Key: []byte("w\x00p"), Headers: []kgo.RecordHeader{{Key: headerSalt, Value: []byte("12")}}}, 7), "what others may write")
}

// A copy goes to where its message was, and so does that of the dead letter which became of it.
func TestAReplayReproducesThePartition(t *testing.T) {
	_, c := started(t)
	p := producerOf(t, c, nil)
	send(t, p, func(o *Request) {
		for i := range 12 {
			o.AddMessage(KindEvent, &source, int64(i), fmt.Append(nil, i), nil)
			o.SetSalt(uint32(i), 3)
		}
	})
	var used []int32
	for i, r := range fetch(t, c, c.Topics().Ingest, 12) {
		var e Record
		e.decode(r)
		used = append(used, r.Partition)
		if i%2 == 0 {
			send(t, p, func(o *Request) {
				o.AddDeadLetter(&source, e.ReceivedAt, e.Value, nil, &DeadLetter{OriginalKind: KindEvent, Reason: "r", Salt: string(e.Salt)})
			})
		}
	}
	slices.Sort(used)
	require.Len(t, slices.Compact(used), 3)
	require.Equal(t, int64(12), replay(t, c, ReplayConfig{}, everything(t, c)).Verdicts[Selected])
	require.Equal(t, int64(6), replay(t, c, ReplayConfig{}, everything(t, c, c.Topics().DeadLetters)).Verdicts[Selected])
	at := map[string][]int32{}
	for _, r := range fetch(t, c, c.Topics().Ingest, 30) {
		at[string(r.Value)] = append(at[string(r.Value)], r.Partition)
	}
	require.Len(t, at, 12)
	for value, partitions := range at {
		require.Len(t, slices.Compact(partitions), 1, value)
	}
}
