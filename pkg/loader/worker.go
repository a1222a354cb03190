package loader

import (
	"errors"
	"sync"
	"time"

	"github.com/millrace/millrace/pkg/stream"
)

// partitionWorker takes the records of one partition into ClickHouse. The reader enqueues fetched records; one
// goroutine maps them into batches, another sends the batches, so that mapping and inserting overlap.
type partitionWorker struct {
	*scope
	queue    *recordQueue
	batcher  *batcher
	sender   *sender
	lag      *lag
	running  sync.WaitGroup
	schedule schedule // the reader's lock guards it
}

func newPartitionWorker(s *shared, p stream.Partition) *partitionWorker {
	scope := newScope(s, p)
	queue, lag := newRecordQueue(scope), &lag{}
	w := &partitionWorker{
		scope: scope, queue: queue, batcher: newBatcher(scope, queue), sender: newSender(scope, lag), lag: lag,
	}
	w.running.Go(func() { w.recoverPanic("building a batch", w.batcher.run) })
	w.running.Go(func() { w.recoverPanic("sending a batch", w.send) })
	return w
}

// enqueue adds fetched records. It never blocks.
func (w *partitionWorker) enqueue(b *stream.Batch) {
	w.lag.fetched(b)
	w.queue.enqueue(b)
}

// applySchedule pauses or resumes fetching of the partition, as its schedule says.
func (w *partitionWorker) applySchedule() {
	w.batcher.behind.Store(w.schedule.behind)
	w.batcher.waiting.Store(w.schedule.waiting)
	w.queue.setWaiting(w.schedule.waiting)
}

// send sends batches in the order of their offsets. After a failure nothing that follows may be committed, so the
// worker gives up.
func (w *partitionWorker) send() {
	for b := range w.batcher.deliveries {
		w.sendBatch(b)
	}
}

func (w *partitionWorker) sendBatch(b *insertBatch) {
	w.batcher.sending.Store(true)
	defer w.batcher.recycle(b)
	if err := w.sender.send(b); err != nil {
		if errors.Is(err, stream.ErrFenced) {
			w.fail(err)
		}
		w.cancel()
	}
}

// stop ends the worker. Its batches are sent and committed if that takes no longer than timeout; other records stay in
// the log for the partition's next owner.
func (w *partitionWorker) stop(timeout time.Duration) {
	close(w.batcher.stopRequested)
	timer := time.AfterFunc(timeout, w.cancel)
	defer timer.Stop()
	w.running.Wait()
	w.cancel()
	w.queue.drain()
}
