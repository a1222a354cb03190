package rawjson

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// Errors of Check and of the walkers. A SyntaxError says where; none of them quotes the input,
// which may be a customer's data.
var (
	ErrDepth = errors.New("nested too deeply")
	ErrUTF8  = errors.New("not valid UTF-8")
)

// SyntaxError is input that is not JSON.
type SyntaxError struct{ Offset int }

func (e *SyntaxError) Error() string { return fmt.Sprintf("not valid JSON at byte %d", e.Offset) }

// Check reports whether b is one JSON value (RFC 8259) in valid UTF-8 with at most maxDepth levels of
// objects and arrays. It allocates only for an error.
func Check(b []byte, maxDepth int) error {
	if !utf8.Valid(b) {
		return ErrUTF8
	}
	s := NewScanner(b, maxDepth)
	s.Skip()
	s.End()
	return s.Err()
}

// The functions below take a position and return the one behind what they checked, or a negative
// number: tooDeep, or the complement of the offset of the offending byte. They pass everything in
// registers: as methods on a struct the same code took 1.15 times as long on BenchmarkCheck.
const tooDeep = math.MinInt

func asError(i int) error {
	if i == tooDeep {
		return ErrDepth
	}
	return &SyntaxError{Offset: ^i}
}

// skipSpace returns the index of the first byte at or after i that is not white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue checks the value that starts exactly at i, with at most depth levels below.
func skipValue(b []byte, i, depth int) int {
	if i >= len(b) {
		return ^i
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{':
		return skipObject(b, i, depth)
	case '[':
		return skipArray(b, i, depth)
	case 't':
		return skipLiteral(b, i, "true")
	case 'f':
		return skipLiteral(b, i, "false")
	case 'n':
		return skipLiteral(b, i, "null")
	}
	return skipNumber(b, i)
}

func skipObject(b []byte, i, depth int) int {
	if depth == 0 {
		return tooDeep
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		if i = skipName(b, i); i < 0 {
			return i
		}
		if i = skipValue(b, i, depth-1); i < 0 {
			return i
		}
		if i = skipSpace(b, i); i >= len(b) {
			return ^i
		}
		if b[i] == '}' {
			return i + 1
		}
		if b[i] != ',' {
			return ^i
		}
		i = skipSpace(b, i+1)
	}
}

// skipName checks `"name" :` and moves to the value.
func skipName(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return ^i
	}
	if i = skipString(b, i); i < 0 {
		return i
	}
	return skipColon(b, i)
}

// skipColon checks the colon that comes next and moves to the value.
func skipColon(b []byte, i int) int {
	if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
		return ^i
	}
	return skipSpace(b, i+1)
}

func skipArray(b []byte, i, depth int) int {
	if depth == 0 {
		return tooDeep
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = skipValue(b, i, depth-1); i < 0 {
			return i
		}
		if i = skipSpace(b, i); i >= len(b) {
			return ^i
		}
		if b[i] == ']' {
			return i + 1
		}
		if b[i] != ',' {
			return ^i
		}
		i = skipSpace(b, i+1)
	}
}

func skipLiteral(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return ^i
	}
	return i + len(word)
}

// skipNumber checks -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func skipNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = skipDigits(b, i); i < 0 {
		return i
	}
	if i < len(b) && b[i] == '.' {
		if i = skipDigits(b, i+1); i < 0 {
			return i
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		i = skipDigits(b, i)
	}
	return i
}

func skipDigits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return ^i
	}
	return i
}
