package loader

import (
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// letters appends dead letters to a block. It takes whatever stands in their topic.
type letters struct {
	rows   *warehouse.DeadLetters // nil while there is nothing in it: letters are rare, and can be large
	letter warehouse.DeadLetter
}

func newLetters(p stream.Partition) *letters {
	return &letters{letter: warehouse.DeadLetter{Origin: warehouse.Origin{Topic: p.Topic, Partition: p.ID}}}
}

func (f *letters) block() warehouse.Block {
	if f.rows == nil {
		f.rows = warehouse.NewDeadLetters()
	}
	return f.rows
}

func (f *letters) reset() { f.rows = nil }

func (f *letters) add(e *stream.Entry) (string, error) {
	fillOrigin(&f.letter.Origin, e)
	f.letter.Reason, f.letter.Detail, f.letter.From = e.Reason, e.Detail, e.Origin
	f.letter.Message, f.letter.Context = e.Value, e.Context
	f.block()
	f.rows.Append(&f.letter)
	return "", nil
}
