package mapping

import (
	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/scalar"
)

// time reads when it happened: the first readable time counts, or else when the edge received it.
func (m *Mapper) time(receivedAtUs int64, e *Event) {
	for source := FromTimestamp; source < FromEdge; source++ {
		value := m.fields.times[source]
		text, ok := m.scalar(value)
		if !ok {
			continue
		}
		if at, ok := scalar.ReadTime(text, rawjson.KindOf(value) == rawjson.String); ok {
			e.EventAt, e.EventAtSource = at, source
			return
		}
	}
	e.EventAt, e.EventAtSource = receivedAtUs/1000, FromEdge
}
