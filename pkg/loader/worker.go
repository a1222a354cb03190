package loader

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
)

// partitionWorker is one partition's way into ClickHouse: records are queued by the reader, mapped into a chunk by
// the lane's own goroutine, and sent by another, so that mapping and inserting go on side by side. There
// are two chunks: one is filled while the other is sent. A chunk that is due while the sender is busy
// goes on filling: larger blocks are what a slow ClickHouse needs.
type partitionWorker struct {
	stream.Partition
	service *Service

	mu          sync.Mutex
	queue       []*stream.Batch
	queuedBytes int64
	queueFull   bool // it is not read, for there is enough in the queue
	paused      bool // it is not read, for that or because it waits for its turn

	wake           chan struct{} // there is something in the queue
	flushRequested chan struct{} // hand over what is in the chunk
	stopping       chan struct{} // take no more, send what is there
	ctx            context.Context
	cancel         context.CancelFunc // give up what is under way
	done           sync.WaitGroup

	deliveries chan *insertBatch
	free       chan *insertBatch

	flushableBytes atomic.Int64 // bytes in the chunk, if pressing would have it handed over
	sending        atomic.Bool  // sending, or about to

	schedule        schedule
	behind, waiting atomic.Bool // of the turn

	lag lag

	duplicates duplicateFilter // of the goroutine that sends
}

func newPartitionWorker(s *Service, p stream.Partition) *partitionWorker {
	l := &partitionWorker{
		Partition: p, service: s, wake: make(chan struct{}, 1), flushRequested: make(chan struct{}, 1), stopping: make(chan struct{}),
		deliveries: make(chan *insertBatch), free: make(chan *insertBatch, 2),
	}
	l.duplicates.lane = l
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for range cap(l.free) {
		l.free <- &insertBatch{rowBuilder: s.newRowBuilder(p)}
	}
	l.done.Go(func() { l.recoverPanic("filling a block", l.fillBatches) })
	l.done.Go(func() { l.recoverPanic("sending a block", l.sendBatches) })
	return l
}

// recoverPanic makes a panic end the process's work with an error, not its neighbours' without one.
func (l *partitionWorker) recoverPanic(doing string, work func()) {
	defer func() {
		if panicked := recover(); panicked != nil {
			telemetry.BUG(l.service.deps.Log, doing+" of "+l.String(), panicked, debug.Stack())
			l.cancel()
			l.service.fail(errPanic)
		}
	}()
	work()
}

// enqueue queues a batch. It never blocks: a lane that has enough has its partition paused.
func (l *partitionWorker) enqueue(b *stream.Batch) {
	l.lag.fetched(b)
	l.mu.Lock()
	l.queue = append(l.queue, b)
	l.queuedBytes += b.Bytes
	l.queueFull = l.queueFull || l.queuedBytes >= l.service.config.MaxPartitionBytes
	l.updatePause()
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// updatePause has the partition read or not. The caller holds the lock, so that no Resume can overtake a Pause.
func (l *partitionWorker) updatePause() {
	paused := l.queueFull || l.waiting.Load()
	switch {
	case paused && !l.paused:
		l.service.consumer.Pause(l.Partition)
	case !paused && l.paused:
		l.service.consumer.Resume(l.Partition)
	}
	l.paused = paused
}

func (l *partitionWorker) isQueueFull() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queueFull
}

// setPaused has the lane read or wait as its turn says.
func (l *partitionWorker) setPaused(t schedule) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behind.Store(t.behind)
	l.waiting.Store(t.waiting)
	l.updatePause()
}

// flush has the lane hand over what is in its chunk.
func (l *partitionWorker) flush() {
	l.sending.Store(true)
	select {
	case l.flushRequested <- struct{}{}:
	default:
	}
}

// next takes a batch from the queue.
func (l *partitionWorker) next() *stream.Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil
	}
	b := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	l.queuedBytes -= b.Bytes
	l.queueFull = l.queueFull && l.queuedBytes >= l.service.config.MaxPartitionBytes/2
	l.updatePause()
	return b
}

// fillBatches maps records into chunks and hands those over.
func (l *partitionWorker) fillBatches() {
	defer close(l.deliveries)
	f := batcher{lane: l, chunk: <-l.free, linger: time.NewTimer(time.Hour)}
	defer f.abandon()
	stopping := l.stopping
	for {
		f.work()
		f.show()
		handed, wake := l.deliveries, l.wake
		if !f.ready() {
			handed = nil
		}
		if f.full() {
			wake = nil // what waits stays in the queue, and the queue pauses the partition
		}
		select {
		case handed <- f.chunk:
			f.renew()
		case <-wake:
		case <-f.linger.C:
			if f.lingered++; f.patient() {
				f.linger.Reset(l.service.config.BlockLinger)
			} else {
				f.due = true
			}
		case <-l.flushRequested:
			if f.due = true; f.chunk.empty() { // it was handed over meanwhile
				l.sending.Store(false)
			}
		case <-stopping:
			if f.chunk.empty() || f.until > 0 && !f.full() {
				return // half of what was prepared is no block
			}
			f.stop, f.due, stopping = true, true, nil
		case <-l.ctx.Done():
			return
		}
		if f.stop && f.chunk.empty() {
			return
		}
	}
}

// batcher is the state of the loop in fill.
type batcher struct {
	lane   *partitionWorker
	chunk  *insertBatch
	batch  *stream.Batch // being mapped, from record at on
	at     int
	entry  stream.Record
	linger *time.Timer

	lingered int // times
	due      bool
	stop     bool
	until    int64 // where the chunk has to end, because it was prepared so before; 0 is anywhere
}

func (f *batcher) ready() bool { return !f.chunk.empty() && (f.due && f.until == 0 || f.full()) }

// full tells whether the chunk takes no more. One that was prepared may be larger than others, but not for ever.
func (f *batcher) full() bool {
	config := &f.lane.service.config
	if f.until > 0 {
		return f.chunk.nextOffset >= f.until || f.chunk.bytes >= config.MaxBufferedBytes/2
	}
	return f.chunk.full(config)
}

// begin decides what the chunk has to become, from the batch that its first entry comes in. A range beyond the
// partition's end is of a topic that has been made anew.
func (f *batcher) begin() {
	f.linger.Reset(f.lane.service.config.BlockLinger)
	f.due, f.lingered = false, 0
	if f.batch.Prepared <= f.batch.End {
		f.until = f.batch.Prepared
	}
	f.batch.Prepared = 0
	f.chunk.recreated = f.until > 0
}

// show tells what pressing would have handed over. A prepared range is not handed over before it is whole.
func (f *batcher) show() {
	if f.until > 0 {
		f.lane.flushableBytes.Store(0)
		return
	}
	f.lane.flushableBytes.Store(f.chunk.bytes)
}

// renew goes on with the other chunk. The sender gave it back before it took this one.
func (f *batcher) renew() {
	f.chunk, f.until = <-f.lane.free, 0
}

// abandon forgets what was not handed over.
func (f *batcher) abandon() {
	f.linger.Stop()
	left := f.chunk.bytes
	for ; f.batch != nil && f.at < f.batch.Len(); f.at++ {
		left += f.batch.Size(f.at)
	}
	f.chunk.clear()
	f.lane.service.memory.release(left)
}

// work maps what is in the queue until there is nothing left or the chunk is full.
func (f *batcher) work() {
	for !f.stop && !f.full() && f.lane.ctx.Err() == nil {
		if f.batch == nil {
			if f.batch, f.at = f.lane.next(), 0; f.batch == nil {
				return
			}
		}
		if f.chunk.empty() {
			f.begin()
		}
		f.chunk.end = f.batch.End
		for f.at < f.batch.Len() && !f.full() {
			f.batch.Entry(f.at, &f.entry)
			if f.until > 0 && f.entry.Offset >= f.until {
				f.skipTo(f.until)
				continue
			}
			size := f.batch.Size(f.at)
			f.at++ // from here on it is the chunk's, whatever becomes of it
			f.chunk.add(&f.entry, size)
		}
		if f.at == f.batch.Len() {
			f.batch = nil
		}
	}
}

// skipTo ends a prepared range whose last records are not in the log any more.
func (f *batcher) skipTo(until int64) {
	if f.chunk.empty() {
		f.until = 0
		return
	}
	f.chunk.nextOffset = until
}

// stop gives the lane up. What is in its chunks is sent and committed if that takes no longer than
// timeout; the rest stays in the log for the partition's next owner.
func (l *partitionWorker) stop(timeout time.Duration) {
	close(l.stopping)
	timer := time.AfterFunc(timeout, l.cancel)
	defer timer.Stop()
	l.done.Wait()
	l.cancel()
	l.setPaused(schedule{}) // the client would remember a pause until the partition comes back
	for b := l.next(); b != nil; b = l.next() {
		l.service.memory.release(b.Bytes)
	}
}
