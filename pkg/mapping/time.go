package mapping

import (
	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/scalar"
)

// time reads the time of the event: the first readable one counts, else the time of receipt.
func (m *Mapper) time(receivedAtUs int64, e *Event) {
	for source := FromTimestamp; source < FromEdge; source++ {
		value := m.fields.times[source]
		if value == nil && m.trace == nil {
			continue
		}
		at, ok := m.readTime(value)
		m.trace.tried(colEventAt, source.String(), value, ok, timeFault)
		if ok {
			e.EventAt, e.EventAtSource = at, source
			return
		}
	}
	e.EventAt, e.EventAtSource = receivedAtUs/1000, FromEdge
	m.trace.decide(colEventAt, whenReceived, "")
}

func (m *Mapper) readTime(value []byte) (ms int64, ok bool) {
	if text, ok := m.scalar(value); ok {
		return scalar.ReadTime(text, rawjson.KindOf(value) == rawjson.String)
	}
	return 0, false
}

const whenReceived = "the time of receipt, because the message has no usable time"
