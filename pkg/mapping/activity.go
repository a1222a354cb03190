package mapping

// Activity is one activity of a conversation. Its slices are like those of Identify; the user may be
// unknown.
type Activity struct {
	ExternalConversationID []byte // never nil
	ExternalUserID         []byte
	Email                  []byte // as it was sent; compare without regard to case
	Properties             []byte // never nil; byte for byte
	At                     int64  // Unix milliseconds
}

// mapActivity maps an activity of a conversation.
func (m *Mapper) mapActivity(msg *Message, a *Activity) error {
	n := &m.activity
	if err := m.readAPI(msg.Raw, n, errNotAnObject); err != nil {
		return err
	}
	*a = Activity{
		ExternalConversationID: m.id(n.ExternalConversationID),
		ExternalUserID:         m.id(n.ExternalUserID),
		Email:                  m.email(n.Email),
		Properties:             propertiesOf(&n.Fields),
	}
	a.At, _ = m.timeOf(&n.Fields, msg)
	return nil
}
