package mapping

import "github.com/millrace/millrace/pkg/scalar"

// Message is one message of a provider's as the edge stored it.
type Message struct {
	Raw        []byte // the message's own bytes: a valid JSON object
	Context    []byte // the object beside the batch it came in; nil if there was none
	ReceivedAt int64  // when the edge received it, Unix microseconds
}

// Event is what a message means. Its slices alias the message or the Mapper's own memory and are good
// until the Mapper's next call; a nil slice means that the message does not say.
type Event struct {
	InsertID    []byte // never nil
	MessageID   []byte
	MessageType MessageType
	EventType   []byte // trimmed, never nil
	SourceEvent []byte // the name as it was sent, before trimming and renaming

	EventAt       int64 // Unix milliseconds
	EventAtSource TimeSource

	ExternalUserID         []byte
	UserEmail              []byte // as it was sent; compare without regard to case
	UserName               []byte
	UserNameSource         NameSource // where UserName comes from; NoName without one
	ExternalOrganizationID []byte
	OrganizationName       []byte
	ExternalConversationID []byte

	Influence Influence
	Score     float64 // quality impact, -1 to 1; only if HasScore
	HasScore  bool

	ValueType ValueType
	Value     scalar.Decimal // only if HasValue: the type is currency or numeric
	HasValue  bool
	ValueText []byte // the value as it was given; nil if there is no value
	Currency  []byte // upper-case code, or empty

	Properties []byte // never nil

	Malformed Overrides // the gf_ overrides that were ignored
}

// MessageType is the kind of message that becomes an event.
type MessageType uint8

// The message types. Their numbers are stored.
const (
	Track MessageType = iota + 1
	Page
	Screen
	API
)

// TimeSource is the field that EventAt was read from.
type TimeSource uint8

// The sources of a time, of Segment's in the order in which they are tried. Their numbers are stored.
const (
	FromTimestamp TimeSource = iota + 1
	FromOriginalTimestamp
	FromSentAt
	FromReceivedAt // the message's own receivedAt
	FromEdge       // when the edge received it: the message has no readable time of its own
	FromEventAt    // the only one of our own API
)

// NameSource is where a user's name comes from. A higher source supersedes a lower one, in any order of arrival; an
// identify call supersedes all of them.
type NameSource uint8

// The sources of a user's name.
const (
	NoName NameSource = iota
	NameFromProperties
	NameFromTraits // of Segment's context or message, or the hints of an event of the API
)

// Influence is whether an event speaks for or against the conversation before it.
type Influence uint8

// The influences. Their numbers are stored.
const (
	Negative Influence = iota + 1
	Neutral
	Positive
)

// ValueType says how a value is meant.
type ValueType uint8

// The value types; NoValue is the absence of one. Their numbers are stored.
const (
	NoValue ValueType = iota
	Currency
	Numeric
	Text
	Boolean
)

// Overrides is a set of the gf_ properties.
type Overrides uint8

// The overrides.
const (
	OverrideEventType Overrides = 1 << iota
	OverrideInfluence
	OverrideScore
	OverrideValue
	OverrideValueType
	OverrideConversationID
)
