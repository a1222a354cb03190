package loader

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/stream"
)

// pausingConsumer is a consumer that remembers which partitions are paused.
type pausingConsumer struct {
	consumer
	paused map[int32]bool
	poll   func(ctx context.Context) error
}

func (c *pausingConsumer) Poll(ctx context.Context, _ func(*stream.Batch)) error { return c.poll(ctx) }

func (c *pausingConsumer) Pause(p stream.Partition)  { c.paused[p.ID] = true }
func (c *pausingConsumer) Resume(p stream.Partition) { delete(c.paused, p.ID) }

// readerTest is a reader whose workers do nothing with their records.
type readerTest struct {
	*reader
	consumer *pausingConsumer
	t        *testing.T
}

func newReaderTest(t *testing.T, partitions int) *readerTest {
	consumer := &pausingConsumer{paused: map[int32]bool{}}
	r := &readerTest{newReader(&shared{consumer: consumer, memory: newMemoryLimit(1 << 30)}), consumer, t}
	c := &r.config
	c.BlockRows, c.BlockBytes, c.MaxPartitionBytes, c.Warehouse.Inserts = 100, 1000, 1<<20, 2
	r.newRowBuilder = func(p stream.Partition) rowBuilder { return newDeadLetterBuilder(p) }
	for id := range int32(partitions) {
		scope := newScope(r.shared, stream.Partition{ID: id})
		queue := newRecordQueue(scope)
		r.workers[scope.partition] = &partitionWorker{scope: scope, queue: queue, batcher: newBatcher(scope, queue), lag: &lag{}}
	}
	return r
}

func (r *readerTest) worker(id int32) *partitionWorker { return r.workers[stream.Partition{ID: id}] }

// fetch records that so many rows of a partition were fetched, with as many left in the log.
func (r *readerTest) fetch(id int32, rows, left int) {
	r.t.Helper()
	require.NotContains(r.t, r.consumer.paused, id)
	r.worker(id).schedule.recordFetch(int64(left), rows, int64(rows), &r.config)
}

// fetchable returns the partitions that the next poll fetches.
func (r *readerTest) fetchable() (ids []int32) {
	r.reschedule()
	for p := range r.workers {
		if !r.consumer.paused[p.ID] {
			ids = append(ids, p.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestReader_PartitionsBehind_TakeTurns(t *testing.T) {
	r := newReaderTest(t, 6)
	all := []int32{0, 1, 2, 3, 4, 5}
	require.Equal(t, all, r.fetchable(), "nothing is known before the first fetch")
	r.fetch(0, 10, 99)
	for id := range int32(5) {
		r.fetch(id+1, 10+int(id), 99)
	}
	require.Equal(t, all, r.fetchable(), "no partition is a block behind")
	r.fetch(3, 1, 100)
	r.fetch(4, 1, 100)
	require.Equal(t, all, r.fetchable(), "no more partitions than concurrent inserts are behind")
	r.fetch(1, 1, 100)
	r.fetch(2, 50, 100)
	r.fetch(5, 60, 100)
	require.Equal(t, []int32{0, 2, 5}, r.fetchable(), "the turns of those with most rows go on; 0 is not behind")
	require.Equal(t, []int32{0, 2, 5}, r.fetchable())

	r.fetch(5, 40, 1000)
	next := r.fetchable()
	require.Len(t, next, 3, "the turn of 5 is over after a block")
	require.NotContains(t, next, int32(5))
	turns := map[int32]int{}
	for range 20 {
		ids := r.fetchable()
		require.Len(t, ids, 3)
		require.Contains(t, ids, int32(0), "0 is not behind")
		for _, id := range ids {
			if id != 0 {
				turns[id]++
				r.fetch(id, 100, 1000)
			}
		}
	}
	for id := range int32(5) {
		require.GreaterOrEqual(t, turns[id+1], 6, "each partition waits for two turns of the others at most")
	}
	for _, id := range r.fetchable() {
		r.fetch(id, 1, 0)
	}
	require.Len(t, r.fetchable(), 5, "two partitions have caught up, so two others take turns")
}

// A queue is full for as long as ClickHouse accepts no block of the partition.
func TestReader_FullQueue_UsesNoTurn(t *testing.T) {
	r := newReaderTest(t, 4)
	for id := range int32(4) {
		r.fetch(id, 10-int(id), 1000)
	}
	require.Equal(t, []int32{0, 1}, r.fetchable())
	stuck := r.worker(0)
	stuck.enqueue(&stream.Batch{Partition: stuck.partition, Bytes: 1 << 20})
	require.Equal(t, []int32{1, 2}, r.fetchable())
	require.NotNil(t, stuck.queue.dequeue())
	require.Equal(t, []int32{0, 1}, r.fetchable())
}

// The partition's broker may be unreachable for long.
func TestReader_IdlePartition_LosesItsTurn(t *testing.T) {
	r := newReaderTest(t, 4)
	for id := range int32(4) {
		r.fetch(id, 10-int(id), 1000)
	}
	require.Equal(t, []int32{0, 1}, r.fetchable())
	r.consumer.poll = func(ctx context.Context) error { // returns records of partition 1 only
		r.fetch(1, 1, 1000)
		<-ctx.Done()
		return ctx.Err()
	}
	require.NoError(t, r.pollScheduled(t.Context()), "the poll ends, because other partitions wait")
	require.Equal(t, []int32{0, 1}, r.fetchable(), "both partitions had records in this poll")
	require.NoError(t, r.pollScheduled(t.Context()))
	require.Equal(t, []int32{1, 2}, r.fetchable())

	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.ErrorIs(t, r.pollScheduled(stopped), context.Canceled)
	r.consumer.poll = func(context.Context) error { return stream.ErrFenced }
	require.ErrorIs(t, r.pollScheduled(t.Context()), stream.ErrFenced)
}

func TestWorker_Stopped_ResumesItsPartition(t *testing.T) {
	r := newReaderTest(t, 3)
	for id := range int32(3) {
		r.fetch(id, 3-int(id), 1000)
	}
	require.Equal(t, []int32{0, 1}, r.fetchable())
	r.worker(2).stop(0)
	require.Empty(t, r.consumer.paused)
}

func TestReader_MemoryLimit_FlushesTheFullestBatches(t *testing.T) {
	r := newReaderTest(t, 5)
	r.config.Warehouse.Inserts = 3
	for id, bytes := range []int64{0, 50, 10, 40, 30} {
		r.worker(int32(id)).batcher.flushableBytes.Store(bytes)
	}
	flushed := func() (ids []int32) {
		for p, w := range r.workers {
			if len(w.batcher.flushRequested) > 0 {
				ids = append(ids, p.ID)
			}
		}
		slices.Sort(ids)
		return ids
	}
	r.worker(3).batcher.sending.Store(true)
	r.flushFullest()
	require.Equal(t, []int32{1, 4}, flushed())
	r.flushFullest()
	require.Equal(t, []int32{1, 4}, flushed(), "two flushes are requested and one batch is being sent")
	for _, w := range r.workers {
		w.batcher.sending.Store(false)
		w.batcher.flushableBytes.Store(0)
	}
	r.flushFullest()
	require.Equal(t, []int32{1, 4}, flushed(), "no batch has bytes to flush")
}
