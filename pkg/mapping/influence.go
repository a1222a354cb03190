package mapping

import (
	"unicode"
	"unicode/utf8"
)

// words is a name taken apart: its letters in lower case without what stood between the words, and where
// each word ends in them. Adjoining words are adjoining letters, so that one look-up serves "signup" and
// "Sign Up".
type words struct {
	letters []byte
	ends    []int
}

// influence is what a name says. A keyword counts if a whole word is one, or some adjoining words make
// one up. A name that says both is negative: an upgrade that failed is a failure.
func (w *words) influence(name []byte) Influence {
	w.split(name)
	found := Neutral
	start := 0
	for first, end := range w.ends {
		reach := reaches[w.letters[start]]
		for _, last := range w.ends[first:] {
			if last-start > reach.longest {
				break
			}
			if last-start < reach.shortest {
				continue
			}
			switch keywords[string(w.letters[start:last])] {
			case Negative:
				return Negative
			case Positive:
				found = Positive
			}
		}
		start = end
	}
	return found
}

// class is what a character means for where words end.
type class uint8

const (
	other class = iota // letters without case, marks, punctuation: part of the word, and of no keyword
	lower
	upper
	digit
	separator
)

var asciiClasses = func() (classes [utf8.RuneSelf]class) {
	for c := range classes {
		switch {
		case 'a' <= c && c <= 'z':
			classes[c] = lower
		case 'A' <= c && c <= 'Z':
			classes[c] = upper
		case '0' <= c && c <= '9':
			classes[c] = digit
		}
	}
	for _, c := range "\t\n\v\f\r _-./:" {
		classes[c] = separator
	}
	return classes
}()

func classOf(r rune) class {
	switch {
	case r < utf8.RuneSelf:
		return asciiClasses[r]
	case unicode.IsSpace(r):
		return separator
	case unicode.IsUpper(r):
		return upper
	case unicode.IsLower(r):
		return lower
	}
	return other
}

// split takes a name apart at separators and where the case changes: before a capital that follows a small
// letter or a digit, and before the last of several capitals that a small letter follows (HTML|Export). A
// digit belongs to the word it stands in, so Error404 is no error.
func (w *words) split(name []byte) {
	w.letters, w.ends = w.letters[:0], w.ends[:0]
	before, capital := separator, 0 // capital is where the last capital is
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRune(name[i:])
		c := classOf(r)
		switch {
		case c == separator, c == upper && (before == lower || before == digit):
			w.end(len(w.letters))
		case c == lower && before == upper:
			w.end(capital)
		}
		if c == upper {
			capital = len(w.letters)
		}
		switch {
		case c == separator:
		case c == upper && size == 1:
			w.letters = append(w.letters, name[i]|0x20)
		default:
			w.letters = append(w.letters, name[i:i+size]...)
		}
		before = c
		i += size
	}
	w.end(len(w.letters))
}

// end notes the end of a word, if it has any letters.
func (w *words) end(at int) {
	begin := 0
	if n := len(w.ends); n > 0 {
		begin = w.ends[n-1]
	}
	if at > begin {
		w.ends = append(w.ends, at)
	}
}
