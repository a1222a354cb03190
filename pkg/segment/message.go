package segment

import (
	"bytes"

	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/rawjson"
)

// Format is that of POST /v1/segment/{token}.
var Format = payload.Format{
	Name: "a valid Segment message", RefusalCode: "not_a_segment_payload", Context: true,
	New:         func() payload.Object { return new(fields) },
	NotAnObject: NotAMessage,
	Invalid:     []*payload.Reason{NotAMessage, UnknownType, MissingEvent, InvalidProperties, payload.TooLarge},
}

// The verdicts on messages, beside payload.Accepted and payload.TooLarge.
var (
	Ignored     = payload.Ignored("ignored_type", "its type is not kept")
	UnknownType = payload.Invalid(
		"unknown_type",
		"its type is not track, page, screen, identify, group, alias or delete",
	)
	NotAMessage  = payload.Invalid("not_a_message", "it is not an object whose type is a string")
	MissingEvent = payload.Invalid(
		"missing_event",
		"a track message needs a non-empty string as its event, or a gf_event_type",
	)
	InvalidProperties = payload.Invalid("invalid_properties", "its properties are neither an object nor null")
)

// fields of a message that decide its verdict, as raw JSON; the last of duplicates counts.
type fields struct {
	kind, event, properties, id []byte
	userID, anonymousID         []byte
	text                        []byte // memory for texts with escapes
}

// Reset implements payload.Object, like the methods below.
func (f *fields) Reset() { *f = fields{text: f.text} }

// Set notes a member that decides.
func (f *fields) Set(name, value []byte) {
	switch string(name) {
	case "type":
		f.kind = value
	case "event":
		f.event = value
	case "properties":
		f.properties = value
	case "messageId":
		f.id = value
	case "userId":
		f.userID = value
	case "anonymousId":
		f.anonymousID = value
	}
}

// IsMessage reports that an object with a member "batch" and one of Segment's types is a message. With any other type
// it is a batch: to reject it as a message of unknown type would lose all that is in it.
func (f *fields) IsMessage() bool {
	if rawjson.KindOf(f.kind) != rawjson.String {
		return false
	}
	return f.isOneOf(acceptedTypes) || f.isOneOf(ignoredTypes[:3])
}

// The types of Segment's messages. IsMessage does not count the last one, delete: an object with it and a "batch" is a
// batch.
var (
	acceptedTypes = []string{"track", "page", "screen"}
	ignoredTypes  = []string{"identify", "group", "alias", "delete"}
)

// IgnoredType reports whether messages of a type are dropped by type.
func IgnoredType(name []byte) bool {
	for _, ignored := range ignoredTypes {
		if string(name) == ignored {
			return true
		}
	}
	return false
}

func (f *fields) isOneOf(types []string) bool {
	for _, name := range types {
		if isText(f.kind, name) {
			return true
		}
	}
	return false
}

// ID is the messageId.
func (f *fields) ID() []byte { return f.id }

// PartitionKey is the userId, else the anonymousId, as in pkg/mapping; else the messageId. The e-mail address does not
// count: a sender that knows it sends an id as well.
func (f *fields) PartitionKey() []byte {
	for _, value := range [...][]byte{f.userID, f.anonymousID, f.id} {
		if name := f.keyText(value); len(name) > 0 {
			return name
		}
	}
	return nil
}

// keyText is the text of a string that is not blank, or of a number; nil for other values.
func (f *fields) keyText(value []byte) []byte {
	switch rawjson.KindOf(value) {
	case rawjson.Number:
		return value
	case rawjson.String:
		if !rawjson.HasText(value) {
			return nil
		}
		if inside := value[1 : len(value)-1]; bytes.IndexByte(inside, '\\') < 0 {
			return inside
		}
		f.text = rawjson.AppendID(f.text[:0], value)
		return f.text
	}
	return nil
}

// Verdict decides on the message.
func (f *fields) Verdict(size int, limits *payload.Limits) *payload.Reason {
	if rawjson.KindOf(f.kind) != rawjson.String {
		return NotAMessage
	}
	track := isText(f.kind, "track")
	if !track && !isText(f.kind, "page") && !isText(f.kind, "screen") {
		if f.isOneOf(ignoredTypes) {
			return Ignored
		}
		return UnknownType
	}
	if size > limits.MessageBytes {
		return payload.TooLarge
	}
	switch rawjson.KindOf(f.properties) {
	case rawjson.None, rawjson.Null, rawjson.Object:
	default:
		return InvalidProperties
	}
	if track && !rawjson.HasText(f.event) && !f.renamed(limits.Depth) {
		return MissingEvent
	}
	return payload.Accepted
}

// renamed reports whether gf_event_type names a track message that has no event.
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
	return rawjson.HasText(override)
}

// isText reports whether a string is an ASCII word, with or without escapes.
func isText(value []byte, word string) bool {
	if len(value) == len(word)+2 {
		return string(value[1:len(value)-1]) == word
	}
	return bytes.IndexByte(value, '\\') >= 0 && string(rawjson.AppendUnquoted(nil, value)) == word
}
