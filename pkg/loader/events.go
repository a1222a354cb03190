package loader

import (
	"errors"
	"fmt"
	"sync"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// eventBuilder maps messages and appends them to a block.
type eventBuilder struct {
	rows         *warehouse.Events // borrowed; nil while there is nothing in it
	stored       []bool            // of a chunk with replayed records, the rows that the table has a row for
	mapper       mapping.Mapper
	message      mapping.Message
	event        mapping.Event
	origin       warehouse.Origin
	malformed    func(mapping.Overrides)
	observations []attribution.Observation // identifies and activities
	identify     mapping.Identify
	activity     mapping.Activity
}

func newEventBuilder(p stream.Partition, malformed func(mapping.Overrides)) *eventBuilder {
	return &eventBuilder{origin: warehouse.Origin{Topic: p.Topic, Partition: p.ID}, malformed: malformed}
}

// eventBlocks are lent to whoever has rows: most partitions have nothing to send most of the time.
var eventBlocks = sync.Pool{New: func() any { return warehouse.NewEvents() }}

func (f *eventBuilder) borrow() *warehouse.Events {
	if f.rows == nil {
		f.rows = eventBlocks.Get().(*warehouse.Events)
	}
	return f.rows
}

func (f *eventBuilder) block() warehouse.Block { return f.borrow() }

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

// reasonUnknownKind is for records that the edge never writes; others may write to the topic. All other
// reasons are the mapper's.
const reasonUnknownKind = "unknown_kind"

// reasonMapperBug is for messages that the mapping could not cope with. Each shows a bug of ours.
const reasonMapperBug = "mapper_bug"

var errMapper = errors.New("BUG: the mapping panicked")

func (f *eventBuilder) append(e *stream.Entry) (reason string, err error) {
	f.message = mapping.Message{Raw: e.Value, Context: e.Context, ReceivedAt: e.ReceivedAt}
	switch kind := stream.Kind(e.Kind); {
	case kind == stream.KindEvent && string(e.Provider) == stream.ProviderSegment:
		err = f.recoverMapping(func() error { return f.mapper.Map(&f.message, &f.event) })
	case kind == stream.KindEvent && string(e.Provider) == stream.ProviderAPI:
		err = f.recoverMapping(func() error { return f.mapper.MapNative(&f.message, &f.event) })
	case kind == stream.KindIdentify:
		return f.observe(e, f.recoverMapping(func() error { return f.mapper.MapIdentify(&f.message, &f.identify) }))
	case kind == stream.KindConversation:
		return f.observe(e, f.recoverMapping(func() error { return f.mapper.MapConversation(&f.message, &f.activity) }))
	default:
		return reasonUnknownKind, fmt.Errorf("kind %.40q of provider %.40q is not known to this loader", e.Kind, e.Provider)
	}
	if err != nil {
		return codeOf(err), err
	}
	if f.event.Malformed != 0 {
		f.malformed(f.event.Malformed)
	}
	fillOrigin(&f.origin, e)
	f.borrow().Append(&f.event, &f.origin)
	return "", nil
}

// recoverMapping keeps a message that shows a bug in the mapping from stopping its partition: the loader would meet
// it again after every restart.
func (f *eventBuilder) recoverMapping(mapping func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("%w: %T", errMapper, panicked)
		}
	}()
	return mapping()
}

// observe keeps what is no event.
func (f *eventBuilder) observe(e *stream.Entry, err error) (string, error) {
	if err != nil {
		return codeOf(err), err
	}
	if stream.Kind(e.Kind) == stream.KindIdentify {
		f.observations = append(f.observations, observeIdentify(e, &f.identify))
	} else {
		f.observations = append(f.observations, observeActivity(e, &f.activity))
	}
	return "", nil
}

func codeOf(err error) string {
	if errors.Is(err, errMapper) {
		return reasonMapperBug
	}
	var unmappable *mapping.Unmappable
	if !errors.As(err, &unmappable) {
		panic("BUG: the mapper gave no reason: " + err.Error())
	}
	return unmappable.Code
}

func fillOrigin(o *warehouse.Origin, e *stream.Entry) {
	o.Workspace, o.Product, o.Connection, o.Provider = e.Workspace, e.Product, e.Connection, e.Provider
	o.ReceivedAt, o.Offset = e.ReceivedAt, e.Offset
}
