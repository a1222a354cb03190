package mapping

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"github.com/millrace/millrace/pkg/rawjson"
)

var emptyObject = []byte("{}")

// eventType reads the name as it was sent and as it is to be. A name of white space alone is none.
func (m *Mapper) eventType(e *Event) {
	f := &m.fields
	original := f.event
	if e.MessageType != Track {
		original = f.name
	}
	if rawjson.KindOf(original) == rawjson.String {
		source := m.text(original)
		if e.EventType = bytes.TrimSpace(source); len(e.EventType) > 0 {
			e.SourceEvent = source
		}
	}
	if !given(f.properties.gfEventType) {
		return
	}
	name := m.trimmed(f.properties.gfEventType)
	switch {
	case name == nil:
		e.Malformed |= OverrideEventType
		return
	case e.SourceEvent != nil && !bytes.Equal(name, e.EventType) && !f.properties.remembersName:
		e.Properties = m.remember(e.Properties, original)
	}
	e.EventType = name
}

// remember adds the original name to properties, which are not empty: they have a gf_event_type. All
// bytes before stay as they were received.
func (m *Mapper) remember(properties, name []byte) []byte {
	start := len(m.memory)
	m.memory = append(m.memory, properties[:len(properties)-1]...)
	m.memory = append(m.memory, `,"segment_event":`...)
	m.memory = append(m.memory, name...)
	m.memory = append(m.memory, '}')
	return m.made(start)
}

// insertID is what one message's repetitions have in common: its id, or else its very bytes.
func (m *Mapper) insertID(prefix string, id, raw []byte, e *Event) {
	e.MessageID = id
	start := len(m.memory)
	m.memory = append(m.memory, prefix...)
	if id != nil {
		m.memory = append(m.memory, id...)
	} else {
		sum := sha256.Sum256(raw)
		m.memory = hex.AppendEncode(append(m.memory, "sha256:"...), sum[:])
	}
	e.InsertID = m.made(start)
}
