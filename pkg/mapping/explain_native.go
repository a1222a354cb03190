package mapping

import "github.com/millrace/millrace/pkg/rawjson"

// ExplainNative is Explain for an event of our own API. Little of it can have been ignored: what is not as it has to be
// makes it no event.
func (m *Mapper) ExplainNative(msg *Message, e *Event) ([]Explained, error) {
	if err := m.mapAPI(msg, e); err != nil {
		return nil, err
	}
	n := &m.native
	r := rules{
		insertID:         m.insertIDRule(member{"insertId", n.InsertID}),
		messageType:      rule{says: "it came by our own API"},
		eventType:        by("eventType"),
		sourceEvent:      by("eventType"),
		eventAt:          by("eventAt"),
		externalUserID:   m.first(ids, member{"externalUserId", n.ExternalUserID}),
		email:            m.first(addresses, member{"userHints.email", n.Email}),
		userName:         m.first(texts, member{"userHints.name", n.Name}),
		organizationID:   m.first(ids, member{"externalOrganizationId", n.ExternalOrganizationID}),
		organizationName: m.first(texts, member{"organizationHints.name", n.OrganizationName}),
		conversation:     m.first(ids, member{"externalConversationId", n.ExternalConversationID}),
		influence:        m.influenceRule(e),
		score:            orNone(e.HasScore, "qualityImpactScore"),
		value:            orNone(n.Value != nil, "value"),
		valueText:        orNone(n.Value != nil, "value"),
		currency:         m.currencyRule(member{"currency", n.Currency}),
		properties:       rule{says: noProperties},
	}
	r.sourceEvent.says += ", as it was sent"
	if !n.HasAt {
		r.eventAt = rule{says: whenReceived}
	}
	if n.Properties != nil {
		r.properties = rule{says: veryBytes, from: []string{"properties"}}
	}
	if n.Value != nil && !e.HasValue {
		r.value = noNumber(e)
	}
	r.valueType = m.nativeTypeRule(e, has(msg.Raw, "valueType"))
	if n.Influence == "" && r.influence.from[0] == "value" {
		r.influence.from = r.valueType.from // the sign of an amount counts only if the value is one
	}
	return r.explained(e), nil
}

func orNone(there bool, path string) rule {
	if there {
		return by(path)
	}
	return rule{says: "there is no " + path}
}

func (m *Mapper) nativeTypeRule(e *Event, typed bool) (r rule) {
	switch {
	case m.native.Value == nil:
		r.says = valueless
		if typed {
			r.ignore("valueType", "has no value to be the type of")
		}
	case typed:
		r.says, r.from = "valueType", []string{"value", "valueType"}
	case m.native.Currency != nil:
		r.says, r.from = "there is a currency", []string{"value", "currency"}
	case e.HasValue:
		r.says, r.from = "value is a number", []string{"value"}
	case e.ValueType == Boolean:
		r.says, r.from = "value is true or false", []string{"value"}
	default:
		r.says, r.from = "value is text", []string{"value"}
	}
	return r
}

// nativeInfluenceRule says what nativeValue went by.
func (m *Mapper) nativeInfluenceRule(e *Event) rule {
	n := &m.native
	switch {
	case n.Influence != "":
		return by("influence")
	case e.ValueType == Currency:
		return m.impliedRule(e, member{"value", n.Value}, []string{"eventType"})
	}
	r := m.impliedRule(e, member{}, []string{"eventType"})
	if e.ValueType == Numeric {
		r.notes = append(r.notes, "value is no amount of money and has no say")
	}
	return r
}

// has tells whether a valid object has a member of that name, and it is not null. The last of several counts.
func has(object []byte, name string) (found bool) {
	s := rawjson.NewScanner(object, maxDepth)
	for s.Enter('{'); s.More('}'); {
		if member, value := s.Member(), s.Skip(); string(member) == name {
			found = given(value)
		}
	}
	return found
}
