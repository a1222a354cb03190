package mapping

import (
	"errors"
	"fmt"
)

// The kinds and the providers of records that can be mapped, as the headers of Kafka records name them.
const (
	KindEvent        = "event"
	KindIdentify     = "identify"
	KindConversation = "conversation"

	ProviderSegment = "segment"
	ProviderAPI     = "api"
)

// Reason codes of records that cannot be mapped, beside those of the formats.
const (
	CodeUnknownKind = "unknown_kind" // no edge of this version writes such a record; other producers may
	CodeMapperBug   = "mapper_bug"   // the mapping panicked
)

// Result is what a record means. Type tells which one of the other fields is filled.
type Result struct {
	Type ResultType

	// IncredibleTime reports that the message has a time before 2000 or more than 24 hours after its receipt. Another
	// time of the message counts instead, or the time of receipt.
	IncredibleTime bool

	Event    Event
	Identify Identify
	Activity Activity
}

// ResultType is the type of a Result.
type ResultType uint8

// The types of a Result.
const (
	IsEvent ResultType = iota + 1
	IsIdentify
	IsActivity
)

// MapRecord maps msg by the kind and the provider of its record. This is the only place that knows which kinds and
// providers there are. It fills r, whose slices alias msg or m and are good until the next call.
//
// The error is an *Unmappable; r is then meaningless. A panic of the mapping is such an error too, so that one message
// cannot stop its partition.
func (m *Mapper) MapRecord(kind, provider []byte, msg *Message, r *Result) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &Unmappable{CodeMapperBug, fmt.Sprintf("BUG: the mapping panicked: %T", panicked)}
		}
		r.IncredibleTime = m.incredibleTime
	}()
	m.incredibleTime = false
	if m.trace != nil {
		*m.trace = trace{}
	}
	switch {
	case string(kind) == KindEvent && string(provider) == ProviderSegment:
		r.Type = IsEvent
		return m.mapSegment(msg, &r.Event)
	case string(provider) != ProviderAPI:
	case string(kind) == KindEvent:
		r.Type = IsEvent
		return m.mapAPI(msg, &r.Event)
	case string(kind) == KindIdentify:
		r.Type = IsIdentify
		return m.mapIdentify(msg, &r.Identify)
	case string(kind) == KindConversation:
		r.Type = IsActivity
		return m.mapActivity(msg, &r.Activity)
	}
	return &Unmappable{CodeUnknownKind, fmt.Sprintf("kind %.40q of provider %.40q is not known", kind, provider)}
}

// Code is the reason code of an error of MapRecord.
func Code(err error) string {
	var unmappable *Unmappable
	if !errors.As(err, &unmappable) {
		panic("BUG: not an error of MapRecord: " + err.Error())
	}
	return unmappable.Code
}
