package mapping

// Identify is an identify call: who a user is. Its slices alias the message or the Mapper's own memory and are valid
// until the Mapper's next call; a nil slice is an absent field. At least one of ExternalUserID and Email is there.
type Identify struct {
	ExternalUserID         []byte
	Email                  []byte // as it was sent; compare without regard to case
	Name                   []byte
	ExternalOrganizationID []byte
	OrganizationName       []byte
	Properties             []byte // never nil; byte for byte
	At                     int64  // Unix milliseconds
}

// mapIdentify maps an identify call of the API.
func (m *Mapper) mapIdentify(msg *Message, i *Identify) error {
	n := &m.identify
	if err := m.readAPI(msg.Raw, n, errNotAnObject); err != nil {
		return err
	}
	*i = Identify{
		ExternalUserID:         m.id(n.ExternalUserID),
		Email:                  m.email(n.Email),
		Name:                   m.trimmed(n.Name),
		ExternalOrganizationID: m.id(n.ExternalOrganizationID),
		OrganizationName:       m.trimmed(n.OrganizationName),
		Properties:             propertiesOf(&n.Fields),
	}
	i.At, _ = m.timeOf(&n.Fields, msg)
	return nil
}
