package mapping

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// rule says which word of a name decides its influence. It is called right after influence.
func (w *words) rule(name []byte) string {
	positive, negative := &w.found[Positive], &w.found[Negative]
	switch {
	case negative.ok() && positive.ok():
		return w.phrase(negative, name) + `, and negative outweighs positive ("` + excerpt(name, positive) + `")`
	case negative.ok():
		return w.phrase(negative, name)
	case positive.ok():
		return w.phrase(positive, name)
	}
	return "no word of the name is a keyword"
}

func (w *words) phrase(m *match, name []byte) string {
	text := `the word "`
	if m.several {
		text = `the words "`
	}
	text += excerpt(name, m) + `" of the name`
	if form := string(w.text[m.start:m.end]); keywordOf(form) != form {
		text += `, a form of "` + keywordOf(form) + `"`
	}
	return text
}

// excerpt is the part of a name that matched. Of several separators in a row it has only the first, and white space
// becomes a space, so it is not much longer than a keyword.
func excerpt(name []byte, m *match) string {
	var text strings.Builder
	read, separated := 0, true // read counts the bytes of name that are in words.text
	before := separator
	for i := 0; read < m.end; {
		r, size := utf8.DecodeRune(name[i:])
		i += size
		if before = classOf(r, before); before != separator {
			if read >= m.start {
				text.WriteRune(r)
			}
			read += size
			separated = false
			continue
		}
		if read > m.start && !separated {
			if unicode.IsSpace(r) {
				r = ' '
			}
			text.WriteRune(r)
		}
		separated = true
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
