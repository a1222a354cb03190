package mapping

import (
	"bytes"
	"slices"

	"github.com/millrace/millrace/pkg/api"
	"github.com/millrace/millrace/pkg/payload"
)

// mapAPI maps an event of the API. The API names each field, so there is little to decide: an event with an invalid
// field is no event. Its contract is that of MapRecord.
func (m *Mapper) mapAPI(msg *Message, e *Event) error {
	n := &m.event
	if err := m.readAPI(msg.Raw, n, errNotAnEvent); err != nil {
		return err
	}
	*e = Event{MessageType: API, Properties: propertiesOf(&n.Fields)}
	m.trace.decide(colMessageType, "it came through the API", "")
	m.trace.decide(colProperties, noProperties, "")
	if n.Properties != nil {
		m.trace.decide(colProperties, unchanged, "properties")
	}
	e.SourceEvent = m.text(n.EventType)
	e.EventType = bytes.TrimSpace(e.SourceEvent)
	m.trace.decide(colEventType, "eventType", "eventType")
	m.trace.decide(colSourceEvent, "eventType", "eventType")
	m.insertID("api:", "insertId", n.InsertID, msg.Raw, e)
	e.EventAt, e.EventAtSource = m.timeOf(&n.Fields, msg)
	switch {
	case e.EventAtSource == FromEventAt:
		m.trace.decide(colEventAt, "eventAt", "eventAt")
	case n.HasAt:
		m.trace.note(colEventAt, "eventAt "+incredible+": ignored")
		fallthrough
	default:
		m.trace.decide(colEventAt, whenReceived, "")
	}
	m.apiHints(n, e)
	e.Score, e.HasScore = n.Score, n.HasScore
	m.trace.tried(colScore, "qualityImpactScore", nil, e.HasScore, scoreFault)
	return m.apiValue(n, e)
}

func (m *Mapper) apiHints(n *api.Event, e *Event) {
	e.ExternalUserID = m.id(n.ExternalUserID)
	m.trace.tried(colExternalUserID, "externalUserId", n.ExternalUserID, e.ExternalUserID != nil, idFault)
	e.UserEmail = m.email(n.Email)
	m.trace.tried(colUserEmail, "userHints.email", n.Email, e.UserEmail != nil, addressFault)
	e.UserName = m.trimmed(n.Name)
	m.trace.tried(colUserName, "userHints.name", n.Name, e.UserName != nil, textFault)
	if e.UserName != nil {
		e.UserNameSource = NameFromTraits
	}
	e.ExternalOrganizationID = m.id(n.ExternalOrganizationID)
	m.trace.tried(colExternalOrganizationID, "externalOrganizationId", n.ExternalOrganizationID,
		e.ExternalOrganizationID != nil, idFault)
	e.OrganizationName = m.trimmed(n.OrganizationName)
	m.trace.tried(
		colOrganizationName,
		"organizationHints.name",
		n.OrganizationName,
		e.OrganizationName != nil,
		textFault,
	)
	e.ExternalConversationID = m.id(n.ExternalConversationID)
	m.trace.tried(colExternalConversationID, "externalConversationId", n.ExternalConversationID,
		e.ExternalConversationID != nil, idFault)
}

// apiValue reads the value, and the influence that may follow from it.
func (m *Mapper) apiValue(n *api.Event, e *Event) error {
	m.currency("currency", n.Currency, e)
	valueType := ValueType(max(0, slices.Index(valueTypes[:], n.ValueType)))
	if n.Value != nil && !m.setValue(valueType, n.Value, e) {
		return unmappable(api.InvalidValue)
	}
	m.trace.tried(colValue, "value", n.Value, n.Value != nil, amountFault)
	m.trace.typedAPI(e, n.HasValueType(), n.Currency != nil)
	if n.Influence != "" {
		e.Influence = Influence(slices.Index(influences[:], n.Influence))
		m.trace.decide(colInfluence, "influence", "influence")
		return nil
	}
	var amount []byte
	sign := 0
	if e.ValueType == Currency {
		amount = n.Value
		if number, _, ok := m.number(amount); ok {
			sign = number.Sign()
		}
	}
	m.impliedInfluence("value", amount, sign, e)
	if m.trace != nil && sign != 0 { // the value counts because it has this type
		m.trace.rules[colInfluence].from = m.trace.rules[colValueType].from
	}
	if e.ValueType == Numeric {
		m.trace.note(colInfluence, "value is no amount of money and does not count")
	}
	return nil
}

// checked is a message of the API that can check itself.
type checked interface {
	payload.Object
	Check() *payload.Reason
}

// readAPI reads and checks the fields of a message of the API.
func (m *Mapper) readAPI(raw []byte, n checked, notObject error) error {
	m.memory = m.memory[:0]
	n.Reset()
	s, err := open(raw, notObject)
	if err != nil {
		return err
	}
	for s.Enter('{'); s.More('}'); {
		n.Set(s.Member(), s.Skip())
	}
	if err := end(&s); err != nil {
		return err
	}
	if reason := n.Check(); reason.Invalid() {
		return unmappable(reason)
	}
	return nil
}

func propertiesOf(s *api.Fields) []byte {
	if s.Properties == nil {
		return emptyObject
	}
	return s.Properties
}

// timeOf is the time that the message names if that is credible, else the time of receipt.
func (m *Mapper) timeOf(s *api.Fields, msg *Message) (ms int64, source TimeSource) {
	if s.HasAt && m.credible(s.At, msg.ReceivedAt) {
		return s.At, FromEventAt
	}
	return msg.ReceivedAt / 1000, FromEdge
}
