package mapping

import (
	"bytes"

	"github.com/millrace/millrace/pkg/rawjson"
)

// text is what a string literal says: a view of it, unless it has escapes.
func (m *Mapper) text(literal []byte) []byte {
	if inside := literal[1 : len(literal)-1]; bytes.IndexByte(inside, '\\') < 0 {
		return inside
	}
	start := len(m.memory)
	m.memory = rawjson.AppendUnquoted(m.memory, literal)
	return m.made(start)
}

// made is what was appended to the memory since it was start bytes long. It stays as it is when the
// memory moves on growing.
func (m *Mapper) made(start int) []byte { return m.memory[start:] }

// trimmed is the text of a string without white space around it; nil if there is nothing else, or if
// the value is no string.
func (m *Mapper) trimmed(value []byte) []byte {
	if rawjson.KindOf(value) != rawjson.String {
		return nil
	}
	if text := bytes.TrimSpace(m.text(value)); len(text) > 0 {
		return text
	}
	return nil
}

// id is a name that someone else gave: a string as it is, or a number by its JSON text. Empty strings
// and all other values count as absent: nil.
func (m *Mapper) id(value []byte) []byte {
	switch rawjson.KindOf(value) {
	case rawjson.Number:
		return value
	case rawjson.String:
		if text := m.text(value); len(text) > 0 {
			return text
		}
	}
	return nil
}

// scalar is the text of a string or a number, and whether the value is one of them.
func (m *Mapper) scalar(value []byte) ([]byte, bool) {
	switch rawjson.KindOf(value) {
	case rawjson.Number:
		return value, true
	case rawjson.String:
		return m.text(value), true
	}
	return nil, false
}

// given tells whether an override is there: null counts as absent.
func given(value []byte) bool {
	return len(value) > 0 && rawjson.KindOf(value) != rawjson.Null
}
