package loader

import (
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// deadLetterBuilder appends dead letters to a block. It takes whatever stands in their topic.
type deadLetterBuilder struct {
	rows   *warehouse.DeadLetters // nil while there is nothing in it: letters are rare, and can be large
	letter warehouse.DeadLetter
}

func newDeadLetterBuilder(p stream.Partition) *deadLetterBuilder {
	return &deadLetterBuilder{letter: warehouse.DeadLetter{Origin: warehouse.Origin{Topic: p.Topic, Partition: p.ID}}}
}

func (f *deadLetterBuilder) block() warehouse.Block {
	if f.rows == nil {
		f.rows = warehouse.NewDeadLetters()
	}
	return f.rows
}

func (f *deadLetterBuilder) reset() { f.rows = nil }

func (f *deadLetterBuilder) append(e *stream.Record) (string, error) {
	fillOrigin(&f.letter.Origin, e)
	f.letter.Reason, f.letter.Detail, f.letter.OriginalRecord = e.Reason, e.Detail, e.Origin
	f.letter.Message, f.letter.Context = e.Value, e.Context
	f.block()
	f.rows.Append(&f.letter)
	return "", nil
}
