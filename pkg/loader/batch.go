package loader

import (
	"slices"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/tracing"
	"github.com/millrace/millrace/pkg/warehouse"
)

// rowBuilder makes rows of one table from the records of one topic.
type rowBuilder interface {
	// append adds a row. If the record cannot become a row, it returns an error and a reason code for the dead letter.
	append(e *stream.Record) (reason string, err error)
	block() warehouse.Block
	reset()
}

// insertBatch collects what is inserted and committed together: the records of a contiguous range of offsets. It may
// change until it is prepared; see preparedBatch.
type insertBatch struct {
	rowBuilder
	firstOffset, nextOffset int64 // the range, without nextOffset
	records                 int
	bytes                   int64 // reserved of the memory limit
	oldestReceivedAt        int64 // of the first record, Unix microseconds
	deadLetters             []deadLetter
	requests                tracing.Requests // that sent the records
	replayed                bool             // it contains records of a replay
	recreated               bool             // the partition's last owner prepared its range
	attributed              attribution.Batch
}

// add maps a record of so many bytes into the batch. The batch keeps references to the record's memory.
func (b *insertBatch) add(e *stream.Record, bytes int64) {
	if b.isEmpty() {
		b.firstOffset, b.oldestReceivedAt = e.Offset, e.ReceivedAt
	}
	b.nextOffset = e.Offset + 1
	b.records++
	b.bytes += bytes
	b.replayed = b.replayed || e.ReplayOf != nil
	if e.Trace != nil && e.ReplayOf == nil { // the trace of a replayed record has ended
		b.requests.Meet(e.Trace)
	}
	if reason, err := b.append(e); err != nil {
		b.deadLetters = append(b.deadLetters, newDeadLetter(e, reason, err))
	}
}

// addLost adds a dead letter for the records that were lost before the fetched ones.
func (b *insertBatch) addLost(fetched *stream.Batch) {
	b.deadLetters = append(b.deadLetters, newLostRecords(fetched.Lost, fetched.LostFrom))
}

func (b *insertBatch) isEmpty() bool { return b.records == 0 }

// events returns the builder of the batch's events, or nil if the batch has no row of events.
func (b *insertBatch) events() *eventBuilder {
	if f, ok := b.rowBuilder.(*eventBuilder); ok && f.hasRows() {
		return f
	}
	return nil
}

// clear empties the batch and keeps its memory.
func (b *insertBatch) clear() {
	b.reset()
	clear(b.deadLetters)
	*b = insertBatch{rowBuilder: b.rowBuilder, deadLetters: b.deadLetters[:0]}
}

// preparedBatch is a batch whose range of offsets is in the group's commit. From then on its rows and its range must
// not change: the next owner would make another block of the same range. It is passed by value.
type preparedBatch struct {
	firstOffset, nextOffset int64
	records                 int
	oldestReceivedAt        int64
	replayed                bool
	rows                    warehouse.Block
	deadLetters             []deadLetter
}

func (b *insertBatch) prepared() preparedBatch {
	return preparedBatch{
		firstOffset: b.firstOffset, nextOffset: b.nextOffset, records: b.records, oldestReceivedAt: b.oldestReceivedAt,
		replayed: b.replayed, rows: b.block(), deadLetters: slices.Clip(b.deadLetters),
	}
}
