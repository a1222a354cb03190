package loader

import (
	"sync"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// eventBuilder makes rows of events from messages, and observations from identifies and activities.
type eventBuilder struct {
	rows         *warehouse.Events // from eventBlocks; nil while there is no row
	stored       []bool            // by row: the table has it already; nil if no record is of a replay
	mapper       mapping.Mapper
	message      mapping.Message
	result       mapping.Result
	origin       warehouse.Origin
	ignored      func(*mapping.Result) // counts what the mapping ignored
	observations []attribution.Observation
}

func newEventBuilder(p stream.Partition, ignored func(*mapping.Result)) *eventBuilder {
	return &eventBuilder{origin: warehouse.Origin{Topic: p.Topic, Partition: p.ID}, ignored: ignored}
}

// eventBlocks is a pool, because most partitions have no rows most of the time.
var eventBlocks = sync.Pool{New: func() any { return warehouse.NewEvents() }}

func (f *eventBuilder) append(e *stream.Record) (reason string, err error) {
	f.message = mapping.Message{Raw: e.Value, Context: e.Context, ReceivedAt: e.ReceivedAt}
	if err := f.mapper.MapRecord(e.Kind, e.Provider, &f.message, &f.result); err != nil {
		return mapping.Code(err), err
	}
	f.ignored(&f.result)
	switch f.result.Type {
	case mapping.IsEvent:
		fillOrigin(&f.origin, e)
		f.borrow().Append(&f.result.Event, &f.origin)
	case mapping.IsIdentify:
		f.observations = append(f.observations, observeIdentify(e, &f.result.Identify))
	case mapping.IsActivity:
		f.observations = append(f.observations, observeActivity(e, &f.result.Activity))
	}
	return "", nil
}

func fillOrigin(o *warehouse.Origin, e *stream.Record) {
	o.Workspace, o.Product, o.Connection, o.Provider = e.Workspace, e.Product, e.Connection, e.Provider
	o.ReceivedAt, o.Offset = e.ReceivedAt, e.Offset
}

func (f *eventBuilder) borrow() *warehouse.Events {
	if f.rows == nil {
		f.rows = eventBlocks.Get().(*warehouse.Events)
	}
	return f.rows
}

func (f *eventBuilder) block() warehouse.Block { return f.borrow() }

func (f *eventBuilder) hasRows() bool { return f.rows != nil && f.rows.Rows() > 0 }

func (f *eventBuilder) reset() {
	clear(f.observations)
	f.observations = f.observations[:0]
	f.stored = nil
	if f.rows != nil {
		f.rows.Reset()
		eventBlocks.Put(f.rows)
		f.rows = nil
	}
}
