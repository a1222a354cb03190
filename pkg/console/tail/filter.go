package tail

import "strings"

// Filter says which messages are shown. Empty fields ask for nothing.
type Filter struct {
	EventType string // a part of it, whatever the case
	Influence string
	User      string // a part of the external id or of the address, whatever the case
}

func (f *Filter) empty() bool { return *f == Filter{} }

func (f *Filter) matches(m *Message) bool {
	return contains(m.EventType, f.EventType) && (f.Influence == "" || f.Influence == m.Influence) &&
		(contains(m.ExternalUser, f.User) || contains(m.Email, f.User))
}

func contains(text, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
