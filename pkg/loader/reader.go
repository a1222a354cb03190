package loader

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/pkg/stream"
)

// reader polls the log and distributes the records to the workers of the assigned partitions. It is the stream.Owner of
// the loader's partitions.
type reader struct {
	*shared
	joined   atomic.Bool // partitions have been assigned in the present membership
	revoking sync.Mutex  // held while workers are stopped

	mu        sync.Mutex
	workers   map[stream.Partition]*partitionWorker
	scheduler scheduler
}

func newReader(s *shared) *reader {
	return &reader{shared: s, workers: map[stream.Partition]*partitionWorker{}}
}

// pollPause is the time between two polls after an error.
const pollPause = 100 * time.Millisecond

// read polls until ctx ends.
func (r *reader) read(ctx context.Context) {
	for ctx.Err() == nil {
		r.memory.wait(ctx, r.flushFullest)
		if err := r.pollScheduled(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, stream.ErrInstanceIDTaken) {
				r.fail(err)
				return
			}
			r.metrics.fetchErrors.Inc()
			r.deps.Log.Warn("fetch failed, retrying", "error", err)
			time.Sleep(pollPause)
		}
	}
}

// pollScheduled polls the partitions whose turn it is. While others wait for their turn, it returns after maxIdle.
func (r *reader) pollScheduled(ctx context.Context) error {
	polling := ctx
	if r.reschedule() {
		var cancel context.CancelFunc
		polling, cancel = context.WithTimeout(ctx, maxIdle)
		defer cancel()
	}
	start := time.Now()
	err := r.consumer.Poll(polling, r.receive)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		w.schedule.recordPoll(time.Since(start))
	}
	if ctx.Err() == nil && errors.Is(err, polling.Err()) {
		return nil // no partition had a record for so long
	}
	return err
}

// reschedule pauses and resumes partitions. It returns whether a partition waits for its turn.
func (r *reader) reschedule() (anyWaiting bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	schedules := make([]*schedule, 0, len(r.workers))
	for _, w := range r.workers {
		w.schedule.queueFull = w.queue.isFull()
		schedules = append(schedules, &w.schedule)
	}
	anyWaiting = r.scheduler.update(schedules, &r.config)
	for _, w := range r.workers {
		w.applySchedule()
	}
	return anyWaiting
}

// receive passes fetched records to their worker.
func (r *reader) receive(b *stream.Batch) {
	r.mu.Lock()
	w := r.workers[b.Partition]
	if w != nil {
		w.schedule.recordFetch(b.Remaining(), b.Len(), b.Bytes, &r.config)
	}
	r.mu.Unlock()
	if w == nil {
		return // the partition was revoked meanwhile
	}
	if b.Lost > 0 {
		r.metrics.recordsLost.Add(float64(b.Lost))
		r.deps.Log.Error("records were deleted from Kafka before they were loaded: raise the topic's retention",
			"partition", b.String(), "offset", b.LostFrom, "records", b.Lost)
	}
	r.memory.reserve(b.Bytes)
	w.enqueue(b)
}

// flushFullest has the workers with the largest batches deliver them, no more than may be inserted concurrently. It is
// called again while the memory limit is reached.
func (r *reader) flushFullest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := r.countSending(); n < r.config.Warehouse.Inserts; n++ {
		w := r.fullest()
		if w == nil {
			return // all batches are waiting for a sender, or for their linger
		}
		w.batcher.requestFlush()
	}
}

func (r *reader) countSending() (n int) {
	for _, w := range r.workers {
		if w.batcher.sending.Load() {
			n++
		}
	}
	return n
}

// fullest returns the worker with the most bytes to flush, or nil.
func (r *reader) fullest() (fullest *partitionWorker) {
	largest := int64(0)
	for _, w := range r.workers {
		if n := w.batcher.flushableBytes.Load(); n > largest && !w.batcher.sending.Load() {
			fullest, largest = w, n
		}
	}
	return fullest
}

// cancelWorkers has all workers give up their work.
func (r *reader) cancelWorkers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		w.cancel()
	}
}

// revokeAll stops all workers.
func (r *reader) revokeAll() {
	r.mu.Lock()
	all := slices.Collect(maps.Keys(r.workers))
	r.mu.Unlock()
	r.Revoked(all, false)
}

// Assigned starts a worker for each partition.
func (r *reader) Assigned(partitions []stream.Partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attribution.PartitionsAssigned(partitions)
	for _, p := range partitions {
		r.workers[p] = newPartitionWorker(r.shared, p)
	}
	r.joined.Store(true)
	r.deps.Log.Debug("partitions assigned", "partitions", partitions)
}

// Revoked stops the workers concurrently, so that their time-outs do not add up. A concurrent call for the same
// partitions returns when they are stopped.
func (r *reader) Revoked(partitions []stream.Partition, lost bool) {
	r.revoking.Lock()
	defer r.revoking.Unlock()
	timeout := r.config.StopTimeout
	if lost {
		timeout = 0 // another member may have them already
	}
	r.attribution.PartitionsRevoked(partitions)
	var stopping sync.WaitGroup
	for _, p := range partitions {
		r.mu.Lock()
		w := r.workers[p]
		delete(r.workers, p)
		r.mu.Unlock()
		if w != nil {
			stopping.Go(func() {
				w.stop(timeout)
				r.metrics.forget(p)
			})
		}
	}
	stopping.Wait()
	r.deps.Log.Debug("partitions revoked", "partitions", partitions, "lost", lost)
}
