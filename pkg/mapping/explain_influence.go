package mapping

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// InfluenceRule says what decided e's influence, for whoever watches events arrive. It is to be called right after Map or
// MapNative filled e, before m maps another message, and e stays good.
func (m *Mapper) InfluenceRule(e *Event) string {
	r := m.influenceRule(e)
	return r.sentence()
}

func (m *Mapper) influenceRule(e *Event) rule {
	if e.MessageType == Native {
		return m.nativeInfluenceRule(e)
	}
	p := &m.fields.properties
	const path = "properties.gf_influence"
	overridden := given(p.gfInfluence)
	if overridden && e.Malformed&OverrideInfluence == 0 {
		return by(path)
	}
	name, _ := m.nameRules(e)
	r := m.impliedRule(e, member{pathRevenue, p.revenue}, name.from)
	if amount := m.amountRule(); len(amount.from) == 2 {
		r.notes = append(r.notes, "price × quantity has no say")
	}
	if overridden {
		r.ignore(path, "is neither positive, negative nor neutral")
	}
	return r
}

// impliedRule says what impliedInfluence went by: the sign of an amount, or the name, which came from there.
func (m *Mapper) impliedRule(e *Event, amount member, name []string) (r rule) {
	fault, sign := m.amountFault(amount.raw), 0
	if fault == "" {
		n, _, _ := m.number(amount.raw)
		sign = n.Sign()
	}
	switch sign {
	case 1:
		r = by(amount.path)
		r.says += " is above zero"
		return r
	case -1:
		r = by(amount.path)
		r.says += " is below zero"
		return r
	}
	r.says, r.from = m.words.rule(e.EventType), name
	switch {
	case fault == "":
		r.notes = append(r.notes, amount.path+" is zero and has no say")
	case given(amount.raw):
		r.ignore(amount.path, fault)
	}
	return r
}

// phrase is a keyword as it stands in a name.
type phrase struct {
	text          string // a word of the name, or several
	several       bool
	form, keyword string // the form of the keyword that they are
}

// rule says which word of a name decides about its influence.
func (w *words) rule(name []byte) string {
	positive, negative := w.phrases(name)
	switch {
	case negative != nil && positive != nil:
		return negative.says() + `, and negative outweighs positive ("` + positive.text + `")`
	case negative != nil:
		return negative.says()
	case positive != nil:
		return positive.says()
	}
	return "no word of the name is a keyword"
}

func (p *phrase) says() string {
	says := `the word "` + p.text + `" of the name`
	if p.several {
		says = `the words "` + p.text + `" of the name`
	}
	if p.form != p.keyword {
		says += `, a form of "` + p.keyword + `"`
	}
	return says
}

// phrases finds the first of each kind in the order in which influence looks for them. nil is none.
func (w *words) phrases(name []byte) (positive, negative *phrase) {
	w.split(name)
	var found [len(influences)]*phrase
	start := 0
	for first, end := range w.ends {
		for _, last := range w.ends[first:] {
			if last-start > reaches[w.letters[start]].longest {
				break
			}
			influence := keywords[string(w.letters[start:last])]
			if influence != 0 && found[influence] == nil {
				form := string(w.letters[start:last])
				found[influence] = &phrase{text: excerpt(name, start, last), several: last > end, form: form, keyword: keywordOf(form)}
			}
		}
		start = end
	}
	return found[Positive], found[Negative]
}

// excerpt is the part of a name that letters of it, from start to end, stand in. Of several separators in a row only the
// first is in it, and white space is a space: so it is not much longer than a keyword.
func excerpt(name []byte, start, end int) string {
	var text strings.Builder
	letters, apart := 0, true
	for i := 0; letters < end; {
		r, size := utf8.DecodeRune(name[i:])
		i += size
		if classOf(r) != separator {
			if letters >= start {
				text.WriteRune(r)
			}
			letters += size
			apart = false
			continue
		}
		if letters > start && !apart {
			if unicode.IsSpace(r) {
				r = ' '
			}
			text.WriteRune(r)
		}
		apart = true
	}
	return text.String()
}

// keywordOf is the keyword that a word is a form of.
func keywordOf(form string) string {
	for line := range strings.Lines(positiveWords + "\n" + negativeWords) {
		if forms := strings.Fields(line); slices.Contains(forms, form) {
			return forms[0]
		}
	}
	panic("BUG: no form of a keyword: " + form)
}
