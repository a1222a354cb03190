package loader

import (
	"sync"

	"github.com/millrace/millrace/pkg/stream"
)

// recordQueue holds the fetched records of one partition until the batcher maps them. It pauses fetching of the
// partition while it is full, or while the partition waits for its turn.
type recordQueue struct {
	*scope
	wake chan struct{} // holds a token after an enqueue

	mu      sync.Mutex
	fetched []*stream.Batch
	bytes   int64
	full    bool // from the limit on, until half of it is left
	waiting bool // for the partition's turn
	paused  bool // full or waiting
}

func newRecordQueue(s *scope) *recordQueue {
	return &recordQueue{scope: s, wake: make(chan struct{}, 1)}
}

// enqueue adds records. It never blocks.
func (q *recordQueue) enqueue(b *stream.Batch) {
	q.mu.Lock()
	q.fetched = append(q.fetched, b)
	q.bytes += b.Bytes
	q.full = q.full || q.bytes >= q.config.MaxPartitionBytes
	q.updatePaused()
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// dequeue removes the oldest records, or returns nil.
func (q *recordQueue) dequeue() *stream.Batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.fetched) == 0 {
		return nil
	}
	b := q.fetched[0]
	q.fetched[0] = nil
	q.fetched = q.fetched[1:]
	q.bytes -= b.Bytes
	q.full = q.full && q.bytes >= q.config.MaxPartitionBytes/2
	q.updatePaused()
	return b
}

func (q *recordQueue) isFull() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.full
}

// setWaiting pauses fetching of the partition until its turn, or resumes it.
func (q *recordQueue) setWaiting(waiting bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = waiting
	q.updatePaused()
}

// updatePaused needs the lock, so that no Resume overtakes a Pause.
func (q *recordQueue) updatePaused() {
	paused := q.full || q.waiting
	switch {
	case paused && !q.paused:
		q.consumer.Pause(q.partition)
	case !paused && q.paused:
		q.consumer.Resume(q.partition)
	}
	q.paused = paused
}

// drain discards all records, and resumes fetching: the client would keep a pause until the partition comes back.
func (q *recordQueue) drain() {
	q.setWaiting(false)
	for b := q.dequeue(); b != nil; b = q.dequeue() {
		q.memory.release(b.Bytes)
	}
}
