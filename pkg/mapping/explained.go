package mapping

import (
	"strconv"
	"time"
)

// Explained is one field of an event, and the rule that decided it. Value and Rule may quote the message; they are copies,
// and good for as long as anybody likes.
type Explained struct {
	Field string   // the column of outcomes
	Value string   // as it will be stored; empty if the field is null
	Rule  string   // half a sentence: what decided, and what was there but did not count, and why
	From  []string // the members of the message that decided, as paths in it; see InTheBatch
	Given bool     // false: the field is null, or what a column that cannot be null has instead
	Later bool     // what is stored by then decides, not the message alone: Value is empty, and Rule says how
}

// rules are those of all fields.
type rules struct {
	insertID, messageType, eventType, sourceEvent, eventAt            rule
	externalUserID, email, userName, organizationID, organizationName rule
	conversation, influence, score                                    rule
	value, valueType, valueText, currency, properties                 rule
}

// explained puts values and rules together, in the order of the columns.
func (r *rules) explained(e *Event) []Explained {
	return []Explained{
		r.insertID.of("insert_id", e.InsertID),
		r.messageType.of("message_type", []byte(e.MessageType.String())),
		r.eventType.of("event_type", e.EventType),
		r.sourceEvent.of("source_event", e.SourceEvent),
		r.eventAt.of("event_at", time.UnixMilli(e.EventAt).UTC().AppendFormat(nil, "2006-01-02 15:04:05.000")),
		r.eventAt.of("event_at_source", []byte(e.EventAtSource.String())),
		r.externalUserID.of("external_user_id", e.ExternalUserID),
		userRule(e).of("user_id", nil),
		r.email.of("user_email", e.UserEmail),
		r.userName.of("user_name", e.UserName),
		r.organizationID.of("external_organization_id", e.ExternalOrganizationID),
		organizationRule(e).of("organization_id", nil),
		r.organizationName.of("organization_name", e.OrganizationName),
		r.conversation.of("external_conversation_id", e.ExternalConversationID),
		conversationRule(e).of("conversation_id", nil),
		r.influence.of("influence", []byte(e.Influence.String())),
		r.score.of("quality_impact_score", e.scoreText()),
		r.value.of("value", e.number()),
		r.valueType.of("value_type", e.valueType()),
		r.valueText.of("value_text", e.ValueText),
		r.currency.of("currency", e.Currency),
		r.properties.of("properties", e.Properties),
	}
}

// of is a field that the rule decided; nil is null.
func (r rule) of(field string, value []byte) Explained {
	return Explained{Field: field, Value: string(value), Rule: r.sentence(), From: r.from, Given: value != nil, Later: r.later}
}

func (e *Event) scoreText() []byte {
	if !e.HasScore {
		return nil
	}
	return strconv.AppendFloat(nil, e.Score, 'g', -1, 64)
}

func (e *Event) number() []byte {
	if !e.HasValue {
		return nil
	}
	return e.Value.Append(nil)
}

func (e *Event) valueType() []byte {
	if e.ValueType == NoValue {
		return nil
	}
	return []byte(e.ValueType.String())
}
