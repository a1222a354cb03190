package loader

import (
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/pkg/stream"
)

// batcherState is the state of the batch that is being built.
//
//	state       a record is added             linger is over   flush is requested  stop is requested  delivered
//	empty       filling, or recreating        -                -                   closed             -
//	filling     filling; full at a limit      due, or filling  due                 closing            -
//	due         due; full at a limit          -                -                   closing            empty
//	recreating  recreating; full at its end   -                -                   closed             -
//	full        (takes none)                  -                -                   closing            empty
//	closing     (takes none)                  -                -                   -                  closed
//
// A batch is delivered in the states due, full and closing, as soon as the sender is free. Until then a due batch takes
// more records: a slow ClickHouse needs large blocks. When the linger of a filling batch is over, the batch stays
// filling if it is part of a backlog (see isBacklog).
//
// A recreating batch has to end at the offset that the partition's last owner prepared: a part of it is another block,
// which ClickHouse would not recognise. So it is neither flushed nor closed early; without its end it is discarded, and
// its records stay in the log.
type batcherState int

const (
	empty batcherState = iota
	filling
	due
	recreating
	full
	closing
	closed
)

// batcher maps the queued records of one partition into batches, and delivers those to the sender. There are two
// batches: one is filled while the other is sent.
type batcher struct {
	*scope
	queue *recordQueue

	flushRequested chan struct{}
	stopRequested  chan struct{} // closed to stop
	deliveries     chan *insertBatch
	free           chan *insertBatch

	flushableBytes atomic.Int64 // in the batch, if a flush would deliver it
	sending        atomic.Bool  // a batch is being sent, or a flush is requested
	behind         atomic.Bool  // of the partition's schedule
	waiting        atomic.Bool  // of the partition's schedule

	// The fields below belong to the goroutine of run.

	state   batcherState
	batch   *insertBatch
	until   int64         // offset at which a recreated batch ends; 0 for other batches
	fetched *stream.Batch // the records that are being mapped, from index next on
	next    int
	entry   stream.Record
	linger  *time.Timer
	lingers int // that are over without the batch being due
}

func newBatcher(s *scope, queue *recordQueue) *batcher {
	b := &batcher{
		scope: s, queue: queue,
		flushRequested: make(chan struct{}, 1), stopRequested: make(chan struct{}),
		deliveries: make(chan *insertBatch), free: make(chan *insertBatch, 2),
	}
	for range cap(b.free) {
		b.free <- &insertBatch{rowBuilder: s.newRowBuilder(s.partition)}
	}
	return b
}

// requestFlush has the present batch delivered, unless it is recreated.
func (b *batcher) requestFlush() {
	b.sending.Store(true)
	select {
	case b.flushRequested <- struct{}{}:
	default:
	}
}

// run builds batches until the worker gives up or stop is requested. Then it closes deliveries.
func (b *batcher) run() {
	b.batch, b.linger = <-b.free, time.NewTimer(time.Hour)
	defer close(b.deliveries)
	defer b.discard()
	stopRequested := b.stopRequested
	for b.state != closed {
		b.fill()
		b.publish()
		deliveries, wake := b.deliveries, b.queue.wake
		if !b.isDeliverable() {
			deliveries = nil
		}
		if !b.takesRecords() {
			wake = nil // records stay in the queue, and a full queue pauses the partition
		}
		select {
		case deliveries <- b.batch:
			b.delivered()
		case <-wake:
		case <-b.linger.C:
			b.endLinger()
		case <-b.flushRequested:
			b.flush()
		case <-stopRequested:
			stopRequested = nil
			b.stop()
		case <-b.ctx.Done():
			return
		}
	}
}

// fill maps queued records until the queue is empty or the batch takes no more.
func (b *batcher) fill() {
	for b.takesRecords() && b.ctx.Err() == nil {
		if b.fetched == nil {
			if b.fetched, b.next = b.queue.dequeue(), 0; b.fetched == nil {
				return
			}
		}
		for b.next < b.fetched.Len() && b.takesRecords() {
			b.add()
		}
		if b.next == b.fetched.Len() {
			b.fetched = nil
		}
	}
}

// add maps the next record into the batch.
func (b *batcher) add() {
	if b.state == empty {
		b.begin()
	}
	if b.fetched.Lost > 0 {
		b.batch.addLost(b.fetched)
		b.fetched.Lost = 0
	}
	b.fetched.Entry(b.next, &b.entry)
	if b.state == recreating && b.entry.Offset >= b.until {
		b.endRange()
		return
	}
	size := b.fetched.Size(b.next)
	b.next++ // from here on the batch accounts for the record, even if mapping panics
	b.batch.add(&b.entry, size)
	if b.isFull() {
		b.state = full
	}
}

// begin starts a batch. The first records after an assignment say whether the partition's last owner prepared a range;
// one that ends beyond the partition's end is of a topic that has been recreated.
func (b *batcher) begin() {
	b.linger.Reset(b.config.BlockLinger)
	b.state, b.lingers, b.until = filling, 0, 0
	if prepared := b.fetched.Prepared; prepared > 0 && prepared <= b.fetched.End {
		b.state, b.until, b.batch.recreated = recreating, prepared, true
	}
	b.fetched.Prepared = 0
}

// endRange ends a prepared range that ends with records that are no longer in the log.
func (b *batcher) endRange() {
	if b.batch.isEmpty() {
		b.state, b.until = filling, 0
		return
	}
	b.batch.nextOffset = b.until
	b.state = full
}

func (b *batcher) takesRecords() bool { return b.state <= recreating }

func (b *batcher) isDeliverable() bool {
	return b.state == due || b.state == full || b.state == closing
}

// isFull applies the limits. A recreated batch may exceed those of a block: the last owner's limits may have been
// higher.
func (b *batcher) isFull() bool {
	if b.state == recreating {
		return b.batch.nextOffset >= b.until || b.batch.bytes >= b.config.MaxBufferedBytes/2
	}
	return b.batch.records >= b.config.BlockRows || b.batch.bytes >= int64(b.config.BlockBytes)
}

// publish tells the reader how many bytes a flush would deliver.
func (b *batcher) publish() {
	if b.until > 0 {
		b.flushableBytes.Store(0)
		return
	}
	b.flushableBytes.Store(b.batch.bytes)
}

func (b *batcher) endLinger() {
	switch {
	case b.state != filling:
	case b.isBacklog():
		b.linger.Reset(b.config.BlockLinger)
	default:
		b.state = due
	}
}

// maxLingers is how many lingers a batch of a backlog may take while its partition is fetched.
const maxLingers = 10

// isBacklog tells whether the batch should grow beyond its linger, because more records are in the log: latency is lost
// already, and large blocks cost less.
func (b *batcher) isBacklog() bool {
	b.lingers++
	return b.behind.Load() && (b.waiting.Load() || b.lingers < maxLingers)
}

func (b *batcher) flush() {
	switch b.state {
	case empty: // the batch was delivered meanwhile
		b.sending.Store(false)
	case filling:
		b.state = due
	}
}

func (b *batcher) stop() {
	switch b.state {
	case empty, recreating:
		b.state = closed
	default:
		b.state = closing
	}
}

// delivered continues with the other batch. The sender recycled it before it took this one.
func (b *batcher) delivered() {
	b.batch, b.until = <-b.free, 0
	if b.state == closing {
		b.state = closed
		return
	}
	b.state = empty
}

// recycle takes back a batch after it was sent, and releases its memory.
func (b *batcher) recycle(batch *insertBatch) {
	b.sending.Store(false)
	b.memory.release(batch.bytes)
	batch.clear()
	b.free <- batch
}

// discard releases the memory of what was not delivered.
func (b *batcher) discard() {
	b.linger.Stop()
	bytes := b.batch.bytes
	for ; b.fetched != nil && b.next < b.fetched.Len(); b.next++ {
		bytes += b.fetched.Size(b.next)
	}
	b.batch.clear()
	b.memory.release(bytes)
}
