package api

import "github.com/millrace/millrace/pkg/payload"

// Event is one business event. Email, Name and OrganizationName of its Fields are those of the hints. Check sets the
// fields below that are no slices.
type Event struct {
	Fields
	InsertID, EventType []byte
	Value, Currency     []byte

	Score     float64 // quality impact, -1 to 1; only if HasScore
	HasScore  bool
	Influence string // one of Influences, or empty
	ValueType string // one of ValueTypes; empty without a Value

	score, influence, valueType  []byte
	userHints, organizationHints []byte
}

// Reset implements payload.Object, like the methods below.
func (e *Event) Reset() { *e = Event{Fields: Fields{text: e.text[:0]}} }

// Set notes a member. Unknown names are ignored.
func (e *Event) Set(name, value []byte) { setField(e.field(name), value) }

// HasValueType reports whether the event has a valueType.
func (e *Event) HasValueType() bool { return e.valueType != nil }

// ID is the insertId.
func (e *Event) ID() []byte { return e.InsertID }

// PartitionKey is the user, else the insertId.
func (e *Event) PartitionKey() []byte { return e.partitionKey(e.InsertID) }

func (e *Event) field(name []byte) *[]byte {
	switch string(name) {
	case "insertId":
		return &e.InsertID
	case "eventType":
		return &e.EventType
	case "eventAt":
		return &e.at
	case "externalUserId":
		return &e.ExternalUserID
	case "userHints":
		return &e.userHints
	case "externalOrganizationId":
		return &e.ExternalOrganizationID
	case "organizationHints":
		return &e.organizationHints
	case "value":
		return &e.Value
	case "valueType":
		return &e.valueType
	case "currency":
		return &e.Currency
	case "influence":
		return &e.influence
	case "qualityImpactScore":
		return &e.score
	case "externalConversationId":
		return &e.ExternalConversationID
	case "properties":
		return &e.Properties
	}
	return nil
}

// IsMessage reports that an object with a "batch" and an eventType is one event. If it was meant as a batch, the
// answer's count shows it.
func (e *Event) IsMessage() bool { return e.EventType != nil }

// Verdict decides on the event.
func (e *Event) Verdict(size int, limits *payload.Limits) *payload.Reason {
	if size > limits.MessageBytes {
		return payload.TooLarge
	}
	return e.Check()
}
