package loader

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/stream"
)

const testBlockRows = 3

// newBatcherTest makes a batcher with the first records of a partition in its queue. Its run loop is not started.
func newBatcherTest(records int, prepared int64) *batcher {
	s := &shared{memory: newMemoryLimit(1 << 30)}
	s.config.BlockRows, s.config.BlockBytes, s.config.BlockLinger = testBlockRows, 1<<20, time.Hour
	s.config.MaxPartitionBytes, s.config.MaxBufferedBytes = 1<<20, 1<<20
	s.newRowBuilder = func(p stream.Partition) rowBuilder { return newDeadLetterBuilder(p) }
	scope := newScope(s, partition)
	b := newBatcher(scope, newRecordQueue(scope))
	b.batch, b.linger = <-b.free, time.NewTimer(time.Hour)
	if records > 0 {
		list := make([]*kgo.Record, records)
		for i := range list {
			list[i] = &kgo.Record{Offset: int64(i), Value: []byte("v")}
		}
		fetched := stream.NewBatch(partition, int64(records), list)
		fetched.Prepared = prepared
		b.queue.enqueue(fetched)
	}
	return b
}

// The table in the comment of batcherState.
func TestBatcher_Transitions(t *testing.T) {
	records := func(n int) func() *batcher {
		return func() *batcher {
			b := newBatcherTest(n, 0)
			b.fill()
			return b
		}
	}
	dueOf := func(n int) func() *batcher {
		return func() *batcher {
			b := records(n)()
			b.endLinger()
			return b
		}
	}
	closingOf := func() *batcher {
		b := records(1)()
		b.stop()
		return b
	}
	linger, flush, stop := (*batcher).endLinger, (*batcher).flush, (*batcher).stop
	deliver := func(b *batcher) { b.delivered() }
	for i, row := range []struct {
		make func() *batcher
		from batcherState
		do   func(*batcher)
		to   batcherState
	}{
		{records(0), empty, linger, empty},
		{records(0), empty, flush, empty},
		{records(0), empty, stop, closed},
		{records(1), filling, linger, due},
		{records(1), filling, flush, due},
		{records(1), filling, stop, closing},
		{dueOf(1), due, linger, due},
		{dueOf(1), due, flush, due},
		{dueOf(1), due, stop, closing},
		{dueOf(1), due, deliver, empty},
		{records(testBlockRows), full, linger, full},
		{records(testBlockRows), full, flush, full},
		{records(testBlockRows), full, stop, closing},
		{records(testBlockRows), full, deliver, empty},
		{closingOf, closing, linger, closing},
		{closingOf, closing, flush, closing},
		{closingOf, closing, deliver, closed},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			b := row.make()
			require.Equal(t, row.from, b.state)
			row.do(b)
			require.Equal(t, row.to, b.state)
		})
	}
}

func TestBatcher_PreparedRange_IsRecreatedAsAWhole(t *testing.T) {
	b := newBatcherTest(10, 8)
	b.fetched, b.next = b.queue.dequeue(), 0
	for range 7 { // more than a block
		b.add()
		require.Equal(t, recreating, b.state)
		b.flush()
		b.endLinger()
		require.Equal(t, recreating, b.state, "a part of the range is not delivered")
		b.publish()
		require.Zero(t, b.flushableBytes.Load())
	}
	b.add()
	require.Equal(t, full, b.state)
	require.Equal(t, 8, b.batch.records)
	require.Equal(t, int64(8), b.batch.nextOffset)
	require.True(t, b.batch.recreated)
	b.delivered()
	b.fill()
	require.Equal(t, filling, b.state)
	require.Equal(t, 2, b.batch.records)
	require.False(t, b.batch.recreated)
}

func TestBatcher_PreparedRangeWithoutItsEnd_IsDiscardedAtAStop(t *testing.T) {
	b := newBatcherTest(10, 8)
	b.fetched, b.next = b.queue.dequeue(), 0
	b.add()
	b.stop()
	require.Equal(t, closed, b.state)
}

// The last records of the range are not in the log any more, for they have expired or were compacted.
func TestBatcher_PreparedRangeWithGap_EndsAtTheNextRecord(t *testing.T) {
	b := newBatcherTest(0, 0)
	fetched := stream.NewBatch(partition, 100, []*kgo.Record{{Offset: 1}, {Offset: 50}})
	fetched.Prepared = 10
	b.queue.enqueue(fetched)
	b.fill()
	require.Equal(t, full, b.state)
	require.Equal(t, 1, b.batch.records)
	require.Equal(t, int64(10), b.batch.nextOffset)
}

func TestBatcher_PreparedRangeThatExpired_IsNotRecreated(t *testing.T) {
	b := newBatcherTest(0, 0)
	fetched := stream.NewBatch(partition, 100, []*kgo.Record{{Offset: 50}})
	fetched.Prepared = 10
	b.queue.enqueue(fetched)
	b.fill()
	require.Equal(t, filling, b.state)
	require.Equal(t, int64(51), b.batch.nextOffset)
}

func TestBatcher_Backlog_FillsBeyondTheLinger(t *testing.T) {
	b := newBatcherTest(1, 0)
	b.behind.Store(true)
	b.fill()
	for range maxLingers - 1 {
		b.endLinger()
		require.Equal(t, filling, b.state)
	}
	b.endLinger()
	require.Equal(t, due, b.state)

	b = newBatcherTest(1, 0)
	b.behind.Store(true)
	b.waiting.Store(true)
	b.fill()
	for range 3 * maxLingers {
		b.endLinger()
	}
	require.Equal(t, filling, b.state, "more records come at the partition's next turn")
}
