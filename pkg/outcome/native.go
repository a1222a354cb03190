package outcome

import (
	"bytes"
	"slices"

	"github.com/millrace/millrace/pkg/native"
)

// MapNative is Map for an event of our own API. It says itself what a message of Segment's is searched for,
// so there is little to decide: one that is not as it has to be is no event.
func (m *Mapper) MapNative(msg *Message, e *Event) error {
	*e = Event{Properties: emptyObject, MessageType: Native, EventAt: msg.ReceivedAt / 1000, EventAtSource: FromEdge}
	m.memory = m.memory[:0]
	n := &m.native
	if err := readNative(msg.Raw, n); err != nil {
		return err
	}
	e.SourceEvent = m.text(n.EventType)
	e.EventType = bytes.TrimSpace(e.SourceEvent)
	m.insertID("api:", m.id(n.InsertID), msg.Raw, e)
	if n.HasEventAt {
		e.EventAt, e.EventAtSource = n.EventAt, FromEventAt
	}
	e.ExternalUserID = m.id(n.ExternalUserID)
	e.UserEmail = m.email(n.UserEmail)
	e.UserName = m.trimmed(n.UserName)
	e.ExternalOrganizationID = m.id(n.ExternalOrganizationID)
	e.OrganizationName = m.trimmed(n.OrganizationName)
	e.ExternalConversationID = m.id(n.ExternalConversationID)
	e.Score, e.HasScore = n.Score, n.HasScore
	if n.Properties != nil {
		e.Properties = n.Properties
	}
	return m.nativeValue(n, e)
}

// nativeValue reads the value, and the influence that may follow from it.
func (m *Mapper) nativeValue(n *native.Event, e *Event) error {
	e.Currency = m.currency(n.Currency)
	valueType := ValueType(max(0, slices.Index(valueTypes[:], n.ValueType)))
	if n.Value != nil && !m.setValue(valueType, n.Value, e) {
		return unmappable(native.InvalidValue)
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

// readNative reads and checks the fields of an event.
func readNative(raw []byte, n *native.Event) error {
	n.Reset()
	s, err := open(raw, errNotAnEvent)
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
