package mapping

import (
	"errors"
	"unicode/utf8"

	"github.com/millrace/millrace/pkg/api"
	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/segment"
)

// maxDepth bounds the nesting of a message. The edge has a narrower limit of its own; this one protects
// the stack from other producers.
const maxDepth = 512

// Mapper maps messages to events, identify calls and activities. Its zero value is ready; it serves one goroutine and
// reuses the memory of the message before.
type Mapper struct {
	fields   fields
	event    api.Event
	identify api.Identify
	activity api.Activity
	batch    hints  // of the context beside the batch
	memory   []byte // texts of the current message that are no views
	words    words

	incredibleTime bool   // the current message has a time that is not credible
	trace          *trace // nil unless somebody asks
}

// Unmappable is a message that cannot be mapped. The edge accepts none, but other producers can write to the topic. It
// quotes nothing of the message.
type Unmappable struct {
	Code    string // snake_case, for dead letters
	Message string // half a sentence, for people
}

func (u *Unmappable) Error() string { return "message cannot be mapped: " + u.Message }

var (
	errUTF8        = &Unmappable{payload.CodeInvalidUTF8, "it is not valid UTF-8"}
	errJSON        = &Unmappable{payload.CodeInvalidJSON, "it is not valid JSON"}
	errDepth       = &Unmappable{payload.CodeTooDeep, "it is nested too deeply"}
	errNoMessage   = unmappable(segment.NotAMessage)
	errIgnored     = unmappable(segment.Ignored)
	errUnknownType = unmappable(segment.UnknownType)
	errNoEvent     = unmappable(segment.MissingEvent)
	errProperties  = unmappable(segment.InvalidProperties)
	errNotAnEvent  = unmappable(api.NotAnEvent)
	errNotAnObject = unmappable(api.NotAnObject)
)

func unmappable(r *payload.Reason) *Unmappable { return &Unmappable{r.Code(), r.Sentence()} }

// mapSegment maps a message of Segment. Its contract is that of MapRecord.
func (m *Mapper) mapSegment(msg *Message, e *Event) error {
	*e = Event{Properties: emptyObject}
	m.memory = m.memory[:0]
	if err := m.read(msg.Raw); err != nil {
		return err
	}
	if err := m.shape(e); err != nil {
		return err
	}
	m.insertID("segment:", "messageId", m.fields.messageID, msg.Raw, e)
	m.time(msg.ReceivedAt, e)
	m.user(e)
	m.hints(msg.Context, e)
	revenueSign := m.value(e)
	m.currency("properties.currency", m.fields.properties.currency, e)
	m.influence(revenueSign, e)
	m.score(e)
	m.conversation(e)
	return nil
}

// read checks the message and notes its fields.
func (m *Mapper) read(raw []byte) error {
	m.fields = fields{}
	s, err := open(raw, errNoMessage)
	if err != nil {
		return err
	}
	m.fields.read(&s)
	return end(&s)
}

// open begins to read a message. It returns notObject if that is no object.
func open(raw []byte, notObject error) (rawjson.Scanner, error) {
	if !utf8.Valid(raw) {
		return rawjson.Scanner{}, errUTF8
	}
	s := rawjson.NewScanner(raw, maxDepth)
	if s.Peek() != '{' {
		return s, notObject
	}
	return s, nil
}

// end reports whether all of the message was JSON.
func end(s *rawjson.Scanner) error {
	s.End()
	switch err := s.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, rawjson.ErrDepth):
		return errDepth
	}
	return errJSON
}

// shape reads what a message must have: the type, the name and the properties. The checks come in the edge's order.
func (m *Mapper) shape(e *Event) error {
	f := &m.fields
	if rawjson.KindOf(f.kind) != rawjson.String {
		return errNoMessage
	}
	kind := m.text(f.kind)
	switch string(kind) {
	case "track":
		e.MessageType = Track
	case "page":
		e.MessageType = Page
	case "screen":
		e.MessageType = Screen
	default:
		if segment.IgnoredType(kind) {
			return errIgnored
		}
		return errUnknownType
	}
	m.trace.decide(colMessageType, "type", "type")
	switch rawjson.KindOf(f.properties.raw) {
	case rawjson.Object:
		e.Properties = f.properties.raw
		m.trace.decide(colProperties, unchanged, "properties")
	case rawjson.None, rawjson.Null:
		m.trace.decide(colProperties, noProperties, "")
	default:
		return errProperties
	}
	if m.eventType(e); len(e.EventType) > 0 {
		return nil
	}
	if e.MessageType == Track {
		return errNoEvent
	}
	e.EventType = kind
	m.trace.decide(colEventType, "the message's type, because it has no name", "type")
	return nil
}

const (
	unchanged    = "properties, byte for byte"
	noProperties = "there are no properties"
)
