package mapping

import (
	"strconv"
	"time"
)

// InTheBatch begins the path of a member of the context that stands beside the batch.
const InTheBatch = "the batch's "

// Explained is one field of an event, and the rule that decided it. Value and Rule are copies and may quote the
// message.
type Explained struct {
	Field string   // the column of outcomes
	Value string   // as it will be stored; empty if the field is null
	Rule  string   // what decided, and which members were there but did not count, and why
	From  []string // the members of the message that decided, as paths in it; see InTheBatch
	Given bool     // false: the field is null, or has the default of a column that cannot be null
	Later bool     // stored data decides, not the message alone: Value is empty, and Rule says how
}

// NewExplainer returns a Mapper that records how it decides, for Explain and InfluenceRule. Recording allocates memory.
func NewExplainer() *Mapper { return &Mapper{trace: new(trace)} }

// InfluenceRule says what decided the influence of the event that m, an explainer, has just mapped.
func (m *Mapper) InfluenceRule() string { return m.trace.rules[colInfluence].sentence() }

// Explain says for each field of e which rule decided it. e is the event that m, an explainer, has just mapped.
func (m *Mapper) Explain(e *Event) []Explained {
	r := &m.trace.rules
	eventAt := time.UnixMilli(e.EventAt).UTC().AppendFormat(nil, "2006-01-02 15:04:05.000")
	user, organization, conversation := laterRules(e)
	return []Explained{
		r[colInsertID].of("insert_id", e.InsertID),
		r[colMessageType].of("message_type", []byte(e.MessageType.String())),
		r[colEventType].of("event_type", e.EventType),
		r[colSourceEvent].with(", as it was sent").of("source_event", e.SourceEvent),
		r[colEventAt].of("event_at", eventAt),
		r[colEventAt].of("event_at_source", []byte(e.EventAtSource.String())),
		r[colExternalUserID].of("external_user_id", e.ExternalUserID),
		user.of("user_id", nil),
		r[colUserEmail].of("user_email", e.UserEmail),
		r[colUserName].of("user_name", e.UserName),
		r[colExternalOrganizationID].of("external_organization_id", e.ExternalOrganizationID),
		organization.of("organization_id", nil),
		r[colOrganizationName].of("organization_name", e.OrganizationName),
		r[colExternalConversationID].of("external_conversation_id", e.ExternalConversationID),
		conversation.of("conversation_id", nil),
		r[colInfluence].of("influence", []byte(e.Influence.String())),
		r[colScore].of("quality_impact_score", e.scoreText()),
		r[colValue].of("value", e.number()),
		r[colValueType].of("value_type", e.valueType()),
		r[colValueText].of("value_text", e.ValueText),
		r[colCurrency].with(", in upper case").of("currency", e.Currency),
		r[colProperties].of("properties", e.Properties),
	}
}

// of is a field that the rule decided; nil is null.
func (r rule) of(field string, value []byte) Explained {
	return Explained{
		Field: field, Value: string(value), Rule: r.sentence(), From: r.from, Given: value != nil, Later: r.later,
	}
}

// with adds to the rule if a member decided.
func (r rule) with(text string) rule {
	if r.from != nil {
		r.text += text
	}
	return r
}

// laterRules say how pkg/identity will find the user, the organization and the conversation.
func laterRules(e *Event) (user, organization, conversation rule) {
	return userRule(e), organizationRule(e), conversationRule(e)
}

func userRule(e *Event) rule {
	switch {
	case e.ExternalUserID != nil && e.UserEmail != nil:
		return rule{later: true, text: "the user with this external_user_id; else the user with this user_email; " +
			"else a new user with both"}
	case e.ExternalUserID != nil:
		return rule{later: true, text: "the user with this external_user_id; null until an identify, a conversation " +
			"or an e-mail address makes that user known"}
	case e.UserEmail != nil:
		return rule{later: true, text: "the user with this user_email; else a new user"}
	}
	return rule{text: "null: there is neither an external_user_id nor a user_email"}
}

func organizationRule(e *Event) rule {
	switch {
	case e.ExternalOrganizationID != nil:
		return rule{later: true, text: "the organization with this external_organization_id; else a new one"}
	case e.OrganizationName != nil:
		return rule{text: "null: there is no external_organization_id, and a name does not identify an organization"}
	}
	return rule{text: "null: there is no external_organization_id"}
}

func conversationRule(e *Event) rule {
	switch {
	case e.ExternalConversationID != nil:
		return rule{
			later: true,
			text:  "the conversation with this external_conversation_id; null until its first activity",
		}
	case e.ExternalUserID != nil || e.UserEmail != nil:
		return rule{later: true, text: "the user's conversation in this product with the latest activity in the " +
			"15 minutes up to event_at, both ends included; null if there is none"}
	}
	return rule{text: "null: the event names neither a conversation nor a user"}
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
