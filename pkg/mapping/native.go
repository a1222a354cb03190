package mapping

import (
	"bytes"
	"slices"

	"github.com/millrace/millrace/pkg/api"
	"github.com/millrace/millrace/pkg/payload"
)

// mapAPI is mapSegment for an event of our own API. It says itself what a message of Segment's is searched for,
// so there is little to decide: one that is not as it has to be is no event.
func (m *Mapper) mapAPI(msg *Message, e *Event) error {
	n := &m.native
	if err := m.readNative(msg.Raw, n, errNotAnEvent); err != nil {
		return err
	}
	*e = Event{MessageType: Native, Properties: propertiesOf(&n.Subject)}
	e.SourceEvent = m.text(n.EventType)
	e.EventType = bytes.TrimSpace(e.SourceEvent)
	m.insertID("api:", m.id(n.InsertID), msg.Raw, e)
	e.EventAt, e.EventAtSource = timeOf(&n.Subject, msg)
	e.ExternalUserID = m.id(n.ExternalUserID)
	e.UserEmail = m.email(n.Email)
	e.UserName = m.trimmed(n.Name)
	e.ExternalOrganizationID = m.id(n.ExternalOrganizationID)
	e.OrganizationName = m.trimmed(n.OrganizationName)
	e.ExternalConversationID = m.id(n.ExternalConversationID)
	e.Score, e.HasScore = n.Score, n.HasScore
	return m.nativeValue(n, e)
}

// nativeValue reads the value, and the influence that may follow from it.
func (m *Mapper) nativeValue(n *api.Event, e *Event) error {
	e.Currency = m.currency(n.Currency)
	valueType := ValueType(max(0, slices.Index(valueTypes[:], n.ValueType)))
	if n.Value != nil && !m.setValue(valueType, n.Value, e) {
		return unmappable(api.InvalidValue)
	}
	if n.Influence != "" {
		e.Influence = Influence(slices.Index(influences[:], n.Influence))
		return nil
	}
	sign := 0
	if e.ValueType == Currency {
		if amount, _, ok := m.number(n.Value); ok {
			sign = amount.Sign()
		}
	}
	m.impliedInfluence(sign, e)
	return nil
}

// checked is a message of our own API that can say what is wrong with it.
type checked interface {
	payload.Element
	Check() *payload.Reason
}

// readNative reads and checks the fields of a message of our own API.
func (m *Mapper) readNative(raw []byte, n checked, notObject error) error {
	m.memory = m.memory[:0]
	n.Reset()
	s, err := open(raw, notObject)
	if err != nil {
		return err
	}
	for s.Enter('{'); s.More('}'); {
		n.Take(s.Member(), s.Skip())
	}
	if err := end(&s); err != nil {
		return err
	}
	if reason := n.Check(); reason.Invalid() {
		return unmappable(reason)
	}
	return nil
}

func propertiesOf(s *api.Subject) []byte {
	if s.Properties == nil {
		return emptyObject
	}
	return s.Properties
}

// timeOf is when it happened: what the message says, or else when the edge received it.
func timeOf(s *api.Subject, msg *Message) (ms int64, source TimeSource) {
	if s.HasAt {
		return s.At, FromEventAt
	}
	return msg.ReceivedAt / 1000, FromEdge
}
