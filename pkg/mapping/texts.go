package mapping

import (
	"bytes"

	"github.com/millrace/millrace/pkg/rawjson"
)

// text is the text of a string literal: a view of it, unless it has escapes.
func (m *Mapper) text(literal []byte) []byte { return m.unescape(literal, rawjson.AppendUnquoted) }

func (m *Mapper) unescape(literal []byte, appendText func(dst, literal []byte) []byte) []byte {
	if inside := literal[1 : len(literal)-1]; bytes.IndexByte(inside, '\\') < 0 {
		return inside
	}
	start := len(m.memory)
	m.memory = appendText(m.memory, literal)
	return m.memoryFrom(start)
}

// memoryFrom is what was appended to the memory since it was start bytes long. It stays valid when the memory grows.
func (m *Mapper) memoryFrom(start int) []byte { return m.memory[start:] }

// trimmed is the text of a string without white space around it; nil if there is nothing else, or if
// the value is no string.
func (m *Mapper) trimmed(value []byte) []byte {
	if rawjson.KindOf(value) != rawjson.String { // most members are absent: this check is inlined
		return nil
	}
	return m.trimmedText(value)
}

func (m *Mapper) trimmedText(literal []byte) []byte {
	if text := bytes.TrimSpace(m.text(literal)); len(text) > 0 {
		return text
	}
	return nil
}

// id is an external id: a string as it is, or the JSON text of a number. Blank strings and all other values count as
// absent: nil. Ids that differ stay different: see rawjson.AppendID.
func (m *Mapper) id(value []byte) []byte {
	if len(value) == 0 {
		return nil
	}
	return m.idText(value)
}

func (m *Mapper) idText(value []byte) []byte {
	switch rawjson.KindOf(value) {
	case rawjson.Number:
		return value
	case rawjson.String:
		if text := m.unescape(value, rawjson.AppendID); len(bytes.TrimSpace(text)) > 0 {
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

// given reports whether a member is there: null counts as absent.
func given(value []byte) bool {
	return len(value) > 0 && rawjson.KindOf(value) != rawjson.Null
}
