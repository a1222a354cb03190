package mapping

import (
	"github.com/millrace/millrace/pkg/rawjson"
)

// Explain maps msg, which is Segment's, and says for each field of the event which rule decided it. The error is an
// *Unmappable, as Map's. It is for people who wonder, not for every message: it maps first and then looks again.
func (m *Mapper) Explain(msg *Message, e *Event) ([]Explained, error) {
	if err := m.mapSegment(msg, e); err != nil {
		return nil, err
	}
	f, p := &m.fields, &m.fields.properties
	r := rules{
		insertID:       m.insertIDRule(member{"messageId", f.messageID}),
		messageType:    by("type"),
		eventAt:        m.timeRule(),
		externalUserID: m.first(ids, member{"userId", f.userID}, member{"anonymousId", f.anonymousID}),
		conversation:   overrideRule(member{"properties.gf_conversation_id", p.gfConversationID}, e.ExternalConversationID != nil, ids.fault),
		influence:      m.influenceRule(e),
		score:          overrideRule(member{"properties.gf_quality_impact_score", p.gfScore}, e.HasScore, notAScore),
		currency:       m.currencyRule(member{"properties.currency", p.currency}),
		properties:     m.propertiesRule(e),
	}
	r.eventType, r.sourceEvent = m.nameRules(e)
	m.explainHints(msg.Context, &r)
	m.explainValue(e, &r)
	return r.explained(e), nil
}

func (m *Mapper) insertIDRule(id member) rule {
	r := m.first(ids, id)
	if r.from == nil {
		r.says = "the hash of the message's very bytes, for there is no " + id.path + " to go by"
	}
	return r
}

// name is the member that has the event's name.
func (m *Mapper) name(e *Event) member {
	if e.MessageType == Track {
		return member{"event", m.fields.event}
	}
	return member{"name", m.fields.name}
}

func (m *Mapper) nameRules(e *Event) (eventType, source rule) {
	name := m.name(e)
	eventType = m.first(texts, member{"properties.gf_event_type", m.fields.properties.gfEventType}, name)
	if eventType.from == nil {
		eventType.says, eventType.from = "the message's type, for it has no name", []string{"type"}
	}
	if source = m.first(texts, name); source.from != nil {
		source.says += ", as it was sent"
	}
	return eventType, source
}

func (m *Mapper) timeRule() rule {
	var tried []member
	for source := FromTimestamp; source < FromEdge; source++ {
		tried = append(tried, member{source.String(), m.fields.times[source]})
	}
	r := m.first(times, tried...)
	if r.from == nil {
		r.says = whenReceived
	}
	return r
}

const whenReceived = "when it was received, for it does not say itself when it happened"

// overrideRule is the rule of an override that nothing stands in for.
func overrideRule(o member, valid bool, fault func([]byte) string) rule {
	if valid {
		return by(o.path)
	}
	r := rule{says: "there is no " + o.path}
	if given(o.raw) {
		r.says = "there is no other source"
		r.ignore(o.path, fault(o.raw))
	}
	return r
}

func notAScore([]byte) string { return "is not a number from -1 to 1" }

func (m *Mapper) currencyRule(code member) rule {
	r := m.first(codes, code)
	if r.from != nil {
		r.says += ", in upper case"
	}
	return r
}

func (m *Mapper) propertiesRule(e *Event) rule {
	p := &m.fields.properties
	if rawjson.KindOf(p.raw) != rawjson.Object {
		return rule{says: noProperties}
	}
	r := by("properties")
	r.says = veryBytes
	if len(e.Properties) > len(p.raw) {
		r.says += ", and the original name after them as segment_event"
		r.from = append(r.from, m.name(e).path)
	} else if renamed := m.trimmed(p.gfEventType); renamed != nil && e.SourceEvent != nil && p.remembersName {
		r.notes = append(r.notes, "they have a segment_event: the original name is not appended")
	}
	return r
}

const (
	veryBytes    = "the very bytes of properties"
	noProperties = "there are no properties"
)
