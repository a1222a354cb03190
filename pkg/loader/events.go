package loader

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/pkg/outcome"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// events maps messages and appends them to a block.
type events struct {
	rows      *warehouse.Events
	mapper    outcome.Mapper
	message   outcome.Message
	event     outcome.Event
	origin    warehouse.Origin
	malformed func(outcome.Overrides)
}

func newEvents(p stream.Partition, malformed func(outcome.Overrides)) *events {
	return &events{rows: warehouse.NewEvents(), origin: warehouse.Origin{Topic: p.Topic, Partition: p.ID}, malformed: malformed}
}

func (f *events) block() warehouse.Block { return f.rows }
func (f *events) reset()                 { f.rows.Reset() }

// Reasons for dead letters that only the loader finds: the edge writes none of these, but others may
// write to the topic.
const (
	reasonUnknownKind = "unknown_kind"
	reasonUnmappable  = "unmappable"
)

func (f *events) add(e *stream.Entry) (reason string, err error) {
	if string(e.Kind) != string(stream.KindEvent) || string(e.Provider) != "segment" {
		return reasonUnknownKind, fmt.Errorf("kind %q of provider %q is not known to this loader", e.Kind, e.Provider)
	}
	f.message = outcome.Message{Raw: e.Value, Context: e.Context, ReceivedAt: e.ReceivedAt}
	if err := f.mapper.Map(&f.message, &f.event); err != nil {
		var coded interface{ Code() string }
		if errors.As(err, &coded) {
			return coded.Code(), err
		}
		return reasonUnmappable, err
	}
	if f.event.Malformed != 0 {
		f.malformed(f.event.Malformed)
	}
	fillOrigin(&f.origin, e)
	f.rows.Append(&f.event, &f.origin)
	return "", nil
}

func fillOrigin(o *warehouse.Origin, e *stream.Entry) {
	o.Workspace, o.Product, o.Connection, o.Provider = e.Workspace, e.Product, e.Connection, e.Provider
	o.ReceivedAt, o.Offset = e.ReceivedAt, e.Offset
}
