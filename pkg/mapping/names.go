package mapping

import "math/bits"

var messageTypes = [...]string{Track: "track", Page: "page", Screen: "screen", API: "event"}

// String is the text that the events table stores.
func (t MessageType) String() string { return messageTypes[t] }

var timeSources = [...]string{
	FromTimestamp: "timestamp", FromOriginalTimestamp: "originalTimestamp", FromSentAt: "sentAt",
	FromReceivedAt: "receivedAt", FromEdge: "edge", FromEventAt: "eventAt",
}

// String is the text that the events table stores.
func (s TimeSource) String() string { return timeSources[s] }

var influences = [...]string{Negative: "negative", Neutral: "neutral", Positive: "positive"}

// String is the text that the events table stores, and what gf_influence says.
func (i Influence) String() string { return influences[i] }

var valueTypes = [...]string{Currency: "currency", Numeric: "numeric", Text: "text", Boolean: "boolean"}

// String is the text that the events table stores, and what gf_value_type says; empty for NoValue.
func (t ValueType) String() string { return valueTypes[t] }

// OverrideNames are the names of the properties; the index is the number of the bit in Overrides.
var OverrideNames = [...]string{
	"gf_event_type", "gf_influence", "gf_quality_impact_score", "gf_value", "gf_value_type", "gf_conversation_id",
}

// Each calls do with the index into OverrideNames of every override in the set.
func (o Overrides) Each(do func(index int)) {
	for ; o != 0; o &= o - 1 {
		do(bits.TrailingZeros8(uint8(o)))
	}
}
