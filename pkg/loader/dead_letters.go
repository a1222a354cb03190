package loader

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// deadLetter is a record that could not become a row. It references the record's value, and outlives its entry.
type deadLetter struct {
	source         stream.Source
	receivedAt     int64 // Unix microseconds
	value, context []byte
	reason, detail string
	offset         int64
	originalKind   stream.Kind
	replayOf       string // topic/partition/offset of the original, if it is a copy
	salt           string
}

func newDeadLetter(e *stream.Record, reason string, err error) deadLetter {
	return deadLetter{
		source: stream.Source{
			Workspace: string(e.Workspace), Product: string(e.Product),
			Connection: string(e.Connection), Provider: string(e.Provider),
		},
		receivedAt: e.ReceivedAt, value: e.Value, context: e.Context,
		reason: reason, detail: err.Error(), offset: e.Offset, originalKind: stream.Kind(e.Kind),
		replayOf: string(e.ReplayOf), salt: string(e.Salt),
	}
}

// newLostRecords makes the dead letter that records a loss. It has no message.
func newLostRecords(n, from int64) deadLetter {
	return deadLetter{
		receivedAt: time.Now().UnixMicro(), reason: stream.ReasonRecordsLost, offset: from,
		detail: fmt.Sprintf("%d records from offset %d on were deleted from Kafka before they were loaded", n, from),
	}
}

// deadLettersPerWrite bounds the dead letters that are produced, and after a failure produced again, together.
const deadLettersPerWrite = 1000

// writeDeadLetters produces dead letters to their topic.
func (s *scope) writeDeadLetters(list []deadLetter) error {
	for some := range slices.Chunk(list, deadLettersPerWrite) {
		err := s.retry("dead_letters_write", func(ctx context.Context) error {
			out := s.producer.NewRequest(len(some), nil)
			for i := range some {
				d := &some[i]
				out.AddDeadLetter(&d.source, d.receivedAt, d.value, d.context, &stream.DeadLetter{
					OriginalKind: d.originalKind,
					Reason:       d.reason,
					Detail:       d.detail,
					Origin:       fmt.Sprintf("%s/%d", s.partition, d.offset),
					ReplayOf:     d.replayOf,
					Salt:         d.salt,
				})
			}
			return out.Send(ctx)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deadLetterBuilder makes rows of dead_letters. It accepts any record of the topic.
type deadLetterBuilder struct {
	rows       *warehouse.DeadLetters // nil while there is no row: dead letters are rare, and may be large
	deadLetter warehouse.DeadLetter
}

func newDeadLetterBuilder(p stream.Partition) *deadLetterBuilder {
	origin := warehouse.Origin{Topic: p.Topic, Partition: p.ID}
	return &deadLetterBuilder{deadLetter: warehouse.DeadLetter{Origin: origin}}
}

func (f *deadLetterBuilder) append(e *stream.Record) (string, error) {
	d := &f.deadLetter
	fillOrigin(&d.Origin, e)
	d.Reason, d.Detail, d.OriginalRecord = e.Reason, e.Detail, e.Origin
	d.Message, d.Context = e.Value, e.Context
	f.block()
	f.rows.Append(d)
	return "", nil
}

func (f *deadLetterBuilder) block() warehouse.Block {
	if f.rows == nil {
		f.rows = warehouse.NewDeadLetters()
	}
	return f.rows
}

func (f *deadLetterBuilder) reset() { f.rows = nil }
