package mapping

import (
	"github.com/millrace/millrace/pkg/scalar"
)

// influence decides by the override, else by the sign of the revenue, else by the name. price × quantity does not
// count: a viewed product is no outcome.
func (m *Mapper) influence(revenueSign int, e *Event) {
	const path = "properties.gf_influence"
	p := &m.fields.properties
	if given(p.gfInfluence) {
		if e.Influence = Influence(oneOf(m.trimmed(p.gfInfluence), influences[:])); e.Influence != 0 {
			if m.trace != nil {
				m.trace.rules[colInfluence] = rule{text: path, from: []string{path}}
			}
			return
		}
		e.Malformed |= OverrideInfluence
	}
	m.impliedInfluence(pathRevenue, p.revenue, revenueSign, e)
	if given(p.gfInfluence) {
		m.trace.note(colInfluence, path+" is neither positive, negative nor neutral: ignored")
	}
}

// impliedInfluence decides by the sign of the amount at path, else by the name.
func (m *Mapper) impliedInfluence(path string, amount []byte, sign int, e *Event) {
	switch sign {
	case 1:
		e.Influence = Positive
	case -1:
		e.Influence = Negative
	default:
		e.Influence = m.words.influence(e.EventType)
	}
	m.trace.amount(path, amount, sign, e.EventType, &m.words)
}

// oneOf is the index of the text among lower-case ASCII words, without regard to case; 0 if it is none of them. The
// word at index 0 is empty and never matches.
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
	if given(raw) {
		text, _ := m.scalar(raw)
		if score, ok := scalar.ReadFloat(text); ok && -1 <= score && score <= 1 {
			e.Score, e.HasScore = score, true
		} else {
			e.Malformed |= OverrideScore
		}
	}
	m.trace.tried(colScore, "properties.gf_quality_impact_score", raw, e.HasScore, scoreFault)
}

func (m *Mapper) conversation(e *Event) {
	raw := m.fields.properties.gfConversationID
	if given(raw) {
		if id := m.id(raw); id != nil {
			e.ExternalConversationID = id
		} else {
			e.Malformed |= OverrideConversationID
		}
	}
	m.trace.tried(
		colExternalConversationID,
		"properties.gf_conversation_id",
		raw,
		e.ExternalConversationID != nil,
		idFault,
	)
}
