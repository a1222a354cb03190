package segment

import (
	"bytes"
	"unicode"

	"github.com/millrace/millrace/pkg/rawjson"
)

// Message is one element of a payload.
type Message struct {
	Raw    []byte // the element's own bytes, aliasing the body
	Reason Reason // why it is not accepted; Accepted if it is
	Repeat bool   // accepted, but an earlier one of the payload has its messageId and counts

	id []byte // its messageId as it is written; nil if it has none
}

// Reason is the verdict on one message.
type Reason uint8

// Accepted messages become events, Ignored ones are of a type that is dropped silently. All others
// break the shape and are kept as dead letters under their code.
const (
	Accepted Reason = iota
	Ignored
	NotAMessage
	MissingEvent
	InvalidProperties
	MessageTooLarge
)

var reasons = [...]struct{ code, sentence string }{
	Accepted:          {"accepted", "it is valid"},
	Ignored:           {"ignored_type", "its type is not kept"},
	NotAMessage:       {"not_a_message", "it is not an object whose type is a string"},
	MissingEvent:      {"missing_event", "a track message needs a non-empty string as its event, or a gf_event_type"},
	InvalidProperties: {"invalid_properties", "its properties are neither an object nor null"},
	MessageTooLarge:   {"message_too_large", "it is larger than the limit for one message"},
}

// Code is the reason in snake_case, as dead letters and metrics name it.
func (r Reason) Code() string { return reasons[r].code }

// Sentence is the reason for people: half a sentence that follows a colon.
func (r Reason) Sentence() string { return reasons[r].sentence }

// Invalid tells whether the message goes to the dead letters.
func (r Reason) Invalid() bool { return r > Ignored }

// InvalidReasons are all the reasons for which a message becomes a dead letter.
func InvalidReasons() []Reason {
	return []Reason{NotAMessage, MissingEvent, InvalidProperties, MessageTooLarge}
}

// fields of a message that decide its verdict, as raw JSON; the last of duplicates counts.
type fields struct{ kind, event, properties, id []byte }

func (f *fields) take(name, value []byte) {
	switch string(name) {
	case "type":
		f.kind = value
	case "event":
		f.event = value
	case "properties":
		f.properties = value
	case "messageId":
		f.id = value
	}
}

// message is the verdict on an object from its fields.
func (f *fields) message(raw []byte, limits Limits) Message {
	m := Message{Raw: raw, Reason: f.judge(len(raw), limits)}
	switch rawjson.KindOf(f.id) {
	case rawjson.String, rawjson.Number:
		if len(f.id) > len(`""`) || f.id[0] != '"' {
			m.id = f.id
		}
	}
	return m
}

// judge decides on an object from its fields.
func (f *fields) judge(size int, limits Limits) Reason {
	if rawjson.KindOf(f.kind) != rawjson.String {
		return NotAMessage
	}
	track := isText(f.kind, "track")
	if !track && !isText(f.kind, "page") && !isText(f.kind, "screen") {
		return Ignored
	}
	if size > limits.MessageBytes {
		return MessageTooLarge
	}
	switch rawjson.KindOf(f.properties) {
	case rawjson.None, rawjson.Null, rawjson.Object:
	default:
		return InvalidProperties
	}
	if track && !HasText(f.event) && !f.renamed(limits.Depth) {
		return MissingEvent
	}
	return Accepted
}

// renamed tells whether gf_event_type names a track message that has no event.
func (f *fields) renamed(depth int) bool {
	if rawjson.KindOf(f.properties) != rawjson.Object {
		return false
	}
	var override []byte
	s := rawjson.NewScanner(f.properties, depth)
	for s.Enter('{'); s.More('}'); {
		if name, value := s.Member(), s.Skip(); string(name) == "gf_event_type" {
			override = value
		}
	}
	return HasText(override)
}

// isText compares a string value with an ASCII word, whichever way it is escaped.
func isText(value []byte, word string) bool {
	if len(value) == len(word)+2 {
		return string(value[1:len(value)-1]) == word
	}
	return bytes.IndexByte(value, '\\') >= 0 && string(rawjson.AppendUnquoted(nil, value)) == word
}

// HasText tells whether a value is a string with more than white space in it.
func HasText(value []byte) bool {
	if rawjson.KindOf(value) != rawjson.String {
		return false
	}
	if c := value[1]; c > ' ' && c < 0x7f && c != '"' && c != '\\' {
		return true
	}
	text := rawjson.AppendUnquoted(nil, value)
	return bytes.IndexFunc(text, func(r rune) bool { return !unicode.IsSpace(r) }) >= 0
}
