package mapping

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"github.com/millrace/millrace/pkg/rawjson"
)

var emptyObject = []byte("{}")

// eventType reads the name as it was sent, and the override that renames it. A name of white space alone is absent.
func (m *Mapper) eventType(e *Event) {
	f := &m.fields
	path, original := "event", f.event
	if e.MessageType != Track {
		path, original = "name", f.name
	}
	renamed := m.trimmed(f.properties.gfEventType)
	m.trace.tried(colEventType, "properties.gf_event_type", f.properties.gfEventType, renamed != nil, textFault)
	if renamed == nil && given(f.properties.gfEventType) {
		e.Malformed |= OverrideEventType
	}
	if rawjson.KindOf(original) == rawjson.String {
		source := m.text(original)
		if e.EventType = bytes.TrimSpace(source); len(e.EventType) > 0 {
			e.SourceEvent = source
		}
	}
	m.trace.tried(colEventType, path, original, e.SourceEvent != nil, textFault)
	m.trace.tried(colSourceEvent, path, original, e.SourceEvent != nil, textFault)
	if renamed == nil {
		return
	}
	switch {
	case e.SourceEvent == nil:
	case f.properties.hasSegmentEvent:
		m.trace.note(colProperties, "they have a segment_event: the original name is not appended")
	case !bytes.Equal(renamed, e.EventType):
		e.Properties = m.appendSegmentEvent(e.Properties, original)
		m.trace.appended(path)
	}
	e.EventType = renamed
}

// appendSegmentEvent adds the original name to properties, which have a gf_event_type and so are not empty. All bytes
// before stay as they were received.
func (m *Mapper) appendSegmentEvent(properties, name []byte) []byte {
	start := len(m.memory)
	m.memory = append(m.memory, properties[:len(properties)-1]...)
	m.memory = append(m.memory, `,"segment_event":`...)
	m.memory = append(m.memory, name...)
	m.memory = append(m.memory, '}')
	return m.memoryFrom(start)
}

// insertID is equal for all deliveries of one message: it is made of the message's id, else of the message's bytes.
func (m *Mapper) insertID(prefix, path string, rawID, raw []byte, e *Event) {
	e.MessageID = m.id(rawID)
	m.trace.tried(colInsertID, path, rawID, e.MessageID != nil, idFault)
	start := len(m.memory)
	m.memory = append(m.memory, prefix...)
	if e.MessageID != nil {
		m.memory = append(m.memory, e.MessageID...)
	} else {
		sum := sha256.Sum256(raw)
		m.memory = hex.AppendEncode(append(m.memory, "sha256:"...), sum[:])
		m.trace.decide(colInsertID, "the hash of the message's bytes, because it has no id", "")
	}
	e.InsertID = m.memoryFrom(start)
}
