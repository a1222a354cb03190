package mapping

import (
	"bytes"

	"github.com/millrace/millrace/pkg/scalar"
)

// influence decides by the override, else by the sign of the revenue (price × quantity has no say: a
// viewed product is no outcome), else by the name.
func (m *Mapper) influence(revenueSign int, e *Event) {
	if override := m.fields.properties.gfInfluence; given(override) {
		if e.Influence = Influence(oneOf(m.trimmed(override), influences[:])); e.Influence != 0 {
			return
		}
		e.Malformed |= OverrideInfluence
	}
	m.impliedInfluence(revenueSign, e)
}

// impliedInfluence decides by what a sender did not say in so many words.
func (m *Mapper) impliedInfluence(revenueSign int, e *Event) {
	switch revenueSign {
	case 1:
		e.Influence = Positive
	case -1:
		e.Influence = Negative
	default:
		e.Influence = m.words.influence(e.EventType)
	}
}

// oneOf is the index of the text among lower-case ASCII words, whatever its case; 0 if it is none of
// them. The words' own index 0 is empty and is never asked for.
func oneOf(text []byte, names []string) int {
	for i, name := range names {
		if len(text) == len(name) && name != "" && foldsTo(text, name) {
			return i
		}
	}
	return 0
}

// foldsTo compares ASCII texts of one length.
func foldsTo(text []byte, lower string) bool {
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// score reads the quality impact: a number from -1 to 1, both included.
func (m *Mapper) score(e *Event) {
	raw := m.fields.properties.gfScore
	if !given(raw) {
		return
	}
	text, _ := m.scalar(raw)
	if score, ok := scalar.ReadFloat(text); ok && -1 <= score && score <= 1 {
		e.Score, e.HasScore = score, true
		return
	}
	e.Malformed |= OverrideScore
}

func (m *Mapper) conversation(e *Event) {
	raw := m.fields.properties.gfConversationID
	if !given(raw) {
		return
	}
	if id := m.id(raw); len(bytes.TrimSpace(id)) > 0 {
		e.ExternalConversationID = id
		return
	}
	e.Malformed |= OverrideConversationID
}
