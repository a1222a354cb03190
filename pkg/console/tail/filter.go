package tail

import "strings"

// Filter selects messages. Empty fields select all.
type Filter struct {
	EventType string // substring, case-insensitive
	Influence string
	User      string // substring of the external id or the address, case-insensitive
}

func (f *Filter) empty() bool { return *f == Filter{} }

func (f *Filter) matches(m *Message) bool {
	return contains(m.EventType, f.EventType) && (f.Influence == "" || f.Influence == m.Influence) &&
		(contains(m.ExternalUser, f.User) || contains(m.Email, f.User))
}

func contains(text, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
