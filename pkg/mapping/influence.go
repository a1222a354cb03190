package mapping

import (
	"unicode"
	"unicode/utf8"
)

// words is a name split into words: the words in lower case without what separated them, and where each word ends.
// Adjoining words are adjoining text, so that one look-up serves "signup" and "Sign Up".
type words struct {
	text  []byte
	ends  []int
	found [len(influences)]match // the first keyword of each influence
}

// match is where a keyword is in words.text.
type match struct {
	start, end int
	several    bool // more than one word of the name
}

func (m *match) ok() bool { return m.end > 0 }

// influence is what a name says. A keyword counts if it is a whole word, or some adjoining words together. A name with
// keywords of both lists is negative: an upgrade that failed is a failure.
func (w *words) influence(name []byte) Influence {
	w.split(name)
	w.found = [len(influences)]match{}
	start := 0
	for first, end := range w.ends {
		reach := reaches[w.text[start]]
		for _, last := range w.ends[first:] {
			if last-start > reach.longest {
				break
			}
			if last-start < reach.shortest {
				continue
			}
			if influence := keywords[string(w.text[start:last])]; influence != 0 && !w.found[influence].ok() {
				w.found[influence] = match{start, last, last > end}
			}
		}
		start = end
	}
	switch {
	case w.found[Negative].ok():
		return Negative
	case w.found[Positive].ok():
		return Positive
	}
	return Neutral
}

// class tells which characters end words.
type class uint8

const (
	other class = iota // letters without case and marks: part of a word, but of no keyword
	lower
	upper
	digit
	separator
)

var asciiClasses = func() (classes [utf8.RuneSelf]class) {
	for c := range classes {
		classes[c] = separator
		switch {
		case 'a' <= c && c <= 'z':
			classes[c] = lower
		case 'A' <= c && c <= 'Z':
			classes[c] = upper
		case '0' <= c && c <= '9':
			classes[c] = digit
		}
	}
	return classes
}()

// classOf is the class of a character after one of class before. Every character that is neither a letter nor a digit
// separates words; a mark belongs to the letter or digit before it.
func classOf(r rune, before class) class {
	switch {
	case r < utf8.RuneSelf:
		return asciiClasses[r]
	case unicode.IsUpper(r):
		return upper
	case unicode.IsLower(r):
		return lower
	case unicode.IsDigit(r):
		return digit
	case unicode.IsLetter(r), unicode.IsMark(r) && before != separator:
		return other
	}
	return separator
}

// split splits a name at separators and where the case changes: before a capital that follows a small letter or a
// digit, and before the last of several capitals that a small letter follows (HTML|Export). A digit belongs to the word
// it is in, so Error404 is no error.
func (w *words) split(name []byte) {
	w.text, w.ends = w.text[:0], w.ends[:0]
	before, capital := separator, 0 // capital is where the last capital is
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRune(name[i:])
		c := classOf(r, before)
		switch {
		case c == separator, c == upper && (before == lower || before == digit):
			w.end(len(w.text))
		case c == lower && before == upper:
			w.end(capital)
		}
		if c == upper {
			capital = len(w.text)
		}
		switch {
		case c == separator:
		case c == upper && size == 1:
			w.text = append(w.text, name[i]|0x20)
		default:
			w.text = append(w.text, name[i:i+size]...)
		}
		before = c
		i += size
	}
	w.end(len(w.text))
}

// end notes the end of a word that is not empty.
func (w *words) end(at int) {
	begin := 0
	if n := len(w.ends); n > 0 {
		begin = w.ends[n-1]
	}
	if at > begin {
		w.ends = append(w.ends, at)
	}
}
