package loader

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/stream"
)

// pauses is a consumer that notes what it does not read.
type pauses struct {
	consumer
	paused map[int32]bool
	poll   func(ctx context.Context) error
}

func (p *pauses) Poll(ctx context.Context, _ func(*stream.Batch)) error { return p.poll(ctx) }

func (p *pauses) Pause(of stream.Partition)  { p.paused[of.ID] = true }
func (p *pauses) Resume(of stream.Partition) { delete(p.paused, of.ID) }

// queue is a service that reads so many partitions without doing anything with what it has read.
type queue struct {
	*Service
	pauses *pauses
	t      *testing.T
}

func newQueue(t *testing.T, lanes int) *queue {
	q := &queue{&Service{workers: map[stream.Partition]*partitionWorker{}}, &pauses{paused: map[int32]bool{}}, t}
	q.consumer = q.pauses
	q.config.BlockRows, q.config.BlockBytes, q.config.MaxPartitionBytes, q.config.Warehouse.Inserts = 100, 1000, 1<<20, 2
	for id := range int32(lanes) {
		p := stream.Partition{ID: id}
		q.workers[p] = &partitionWorker{Partition: p, service: q.Service}
	}
	return q
}

// read has so many rows of a partition come, with as many left.
func (q *queue) read(id int32, rows, left int) {
	q.t.Helper()
	require.NotContains(q.t, q.pauses.paused, id)
	q.workers[stream.Partition{ID: id}].schedule.recordFetch(int64(left), rows, int64(rows), &q.config)
}

// reads are the partitions that are read by now.
func (q *queue) reads() (ids []int32) {
	q.reschedule()
	for p := range q.workers {
		if !q.pauses.paused[p.ID] {
			ids = append(ids, p.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestThoseBehindAreReadInTurns(t *testing.T) {
	q := newQueue(t, 6)
	all := []int32{0, 1, 2, 3, 4, 5}
	require.Equal(t, all, q.reads(), "nothing is known yet")
	q.read(0, 10, 99)
	for id := range int32(5) {
		q.read(id+1, 10+int(id), 99)
	}
	require.Equal(t, all, q.reads(), "none is a block behind")
	q.read(3, 1, 100)
	q.read(4, 1, 100)
	require.Equal(t, all, q.reads(), "no more than may read at once")
	q.read(1, 1, 100)
	q.read(2, 50, 100)
	q.read(5, 60, 100)
	require.Equal(t, []int32{0, 2, 5}, q.reads(), "those that have read most go on, and the one that is not behind")
	require.Equal(t, []int32{0, 2, 5}, q.reads())

	q.read(5, 40, 1000)
	first := q.reads()
	require.Len(t, first, 3, "one that has read a block makes room for another")
	require.NotContains(t, first, int32(5))
	seen := map[int32]int{}
	for range 20 {
		reads := q.reads()
		require.Len(t, reads, 3)
		require.Contains(t, reads, int32(0), "it is not behind and always read")
		for _, id := range reads {
			if id != 0 {
				seen[id]++
				q.read(id, 100, 1000)
			}
		}
	}
	for id := range int32(5) {
		require.GreaterOrEqual(t, seen[id+1], 6, "nobody waits for more than two of the others' turns")
	}
	for _, id := range q.reads() {
		q.read(id, 1, 0)
	}
	require.Len(t, q.reads(), 5, "two have caught up, so two others read instead of them")
}

// A lane whose block is not taken is full, for as long as ClickHouse refuses it: it must not keep others from reading.
func TestOneThatHasEnoughDoesNotUseItsTurn(t *testing.T) {
	q := newQueue(t, 4)
	for id := range int32(4) {
		q.read(id, 10-int(id), 1000)
	}
	require.Equal(t, []int32{0, 1}, q.reads())
	stuck := q.workers[stream.Partition{ID: 0}]
	stuck.enqueue(&stream.Batch{Partition: stuck.Partition, Bytes: 1 << 20})
	require.Equal(t, []int32{1, 2}, q.reads())
	require.NotNil(t, stuck.next())
	require.Equal(t, []int32{0, 1}, q.reads())
}

// Those whose broker is away give nothing for as long as it is: they must not keep the turns of those whose broker is not.
func TestASilentPartitionGivesItsTurnUp(t *testing.T) {
	q := newQueue(t, 4)
	for id := range int32(4) {
		q.read(id, 10-int(id), 1000)
	}
	require.Equal(t, []int32{0, 1}, q.reads())
	q.pauses.poll = func(ctx context.Context) error { // of 1 only
		q.read(1, 1, 1000)
		<-ctx.Done()
		return ctx.Err()
	}
	require.NoError(t, q.pollScheduled(t.Context()), "others wait, so it does not wait for ever")
	require.Equal(t, []int32{0, 1}, q.reads(), "the last of what they read before was in this poll")
	require.NoError(t, q.pollScheduled(t.Context()))
	require.Equal(t, []int32{1, 2}, q.reads())

	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.ErrorIs(t, q.pollScheduled(stopped), context.Canceled)
	q.pauses.poll = func(context.Context) error { return stream.ErrFenced }
	require.ErrorIs(t, q.pollScheduled(t.Context()), stream.ErrFenced)
}

func TestAPartitionThatIsGivenUpIsNotLeftPaused(t *testing.T) {
	q := newQueue(t, 3)
	for id := range int32(3) {
		q.read(id, 3-int(id), 1000)
	}
	require.Equal(t, []int32{0, 1}, q.reads())
	l := q.workers[stream.Partition{ID: 2}]
	l.stopping, l.cancel = make(chan struct{}), func() {}
	l.stop(0)
	require.Empty(t, q.pauses.paused)
}
