package mapping

import (
	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/scalar"
)

// A message's own time is credible from minCredibleMs until maxAheadMs after its receipt. One sender with a wrong
// clock, or a hostile one, cannot make the events table grow a partition for any month of four centuries.
const (
	minCredibleMs = 946_684_800_000 // 2000-01-01T00:00:00.000Z
	maxAheadMs    = 24 * 60 * 60 * 1000
)

// credible reports whether a message's own time counts, and notes one that does not.
func (m *Mapper) credible(ms, receivedAtUs int64) bool {
	if minCredibleMs <= ms && ms <= receivedAtUs/1000+maxAheadMs {
		return true
	}
	m.incredibleTime = true
	return false
}

// time reads the time of the event: the first readable and credible one counts, else the time of receipt.
func (m *Mapper) time(receivedAtUs int64, e *Event) {
	for source := FromTimestamp; source < FromEdge; source++ {
		value := m.fields.times[source]
		if value == nil && m.trace == nil {
			continue
		}
		at, ok := m.readTime(value)
		ok = ok && m.credible(at, receivedAtUs)
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
