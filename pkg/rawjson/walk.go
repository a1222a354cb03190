package rawjson

import "bytes"

// Kind is what a value is, told by its first byte.
type Kind uint8

// The kinds. None is the absence of a value.
const (
	None Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

var kinds = [256]Kind{
	'n': Null, 't': Bool, 'f': Bool, '"': String, '[': Array, '{': Object, '-': Number,
	'0': Number, '1': Number, '2': Number, '3': Number, '4': Number,
	'5': Number, '6': Number, '7': Number, '8': Number, '9': Number,
}

// KindOf tells the kind of a value's bytes as the Scanner returns them.
func KindOf(value []byte) Kind {
	if len(value) == 0 {
		return None
	}
	return kinds[value[0]]
}

// Scanner reads one JSON text from front to back. After the first error its methods do nothing and
// its loops end, so that callers look at Err once:
//
//	for s.Enter('{'); s.More('}'); {
//		name, value := s.Member(), s.Skip()
//	}
type Scanner struct {
	b     []byte
	i     int
	depth int  // levels that may still be opened
	first bool // just behind an opening bracket
	err   error
}

// NewScanner reads b, which must stay unchanged meanwhile. The check of UTF-8 is the caller's: once
// for a whole payload is cheaper than once for each string.
func NewScanner(b []byte, maxDepth int) Scanner { return Scanner{b: b, depth: maxDepth} }

// Err is the first error, or nil.
func (s *Scanner) Err() error { return s.err }

// Offset is the position: of the next value right after Peek, behind the last one after Skip.
func (s *Scanner) Offset() int { return s.i }

// Since returns the bytes from an earlier Offset to the position.
func (s *Scanner) Since(start int) []byte { return s.b[start:s.i:s.i] }

// to moves to the position that a check returned.
func (s *Scanner) to(i int) bool {
	if i < 0 && s.err == nil {
		s.err = asError(i)
	}
	if s.err != nil {
		return false
	}
	s.i = i
	return true
}

// Peek moves over white space and returns the first byte of what comes next, or 0 at the end.
func (s *Scanner) Peek() byte {
	if s.i = skipSpace(s.b, s.i); s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// End makes anything but white space from here on an error.
func (s *Scanner) End() {
	if s.Peek(); s.i < len(s.b) {
		s.to(^s.i)
	}
}

// Enter moves behind the opening bracket that comes next.
func (s *Scanner) Enter(open byte) {
	switch {
	case s.Peek() != open:
		s.to(^s.i)
	case s.depth == 0:
		s.to(tooDeep)
	default:
		s.depth--
		s.first = true
		s.i++
	}
}

// More moves to the next member or element; at the closing bracket it moves behind it and returns
// false.
func (s *Scanner) More(closing byte) bool {
	if s.err != nil {
		return false
	}
	c, first := s.Peek(), s.first
	s.first = false
	switch {
	case c == closing:
		s.i++
		s.depth++
		return false
	case first:
		return true
	case c == ',':
		s.i++
		return true
	}
	return s.to(^s.i)
}

// Member checks the next `"name":` of an object that was entered and returns the name's text. It
// aliases the input, unless the name has escapes. The value follows.
func (s *Scanner) Member() []byte {
	open := s.Peek()
	start, end := s.i, plainEnd(s.b, s.i+1)
	if open == '"' && end < len(s.b) && s.b[end] == '"' { // nearly all
		if !s.to(skipColon(s.b, end+1)) {
			return nil
		}
		return s.b[start+1 : end]
	}
	if !s.to(skipName(s.b, start)) {
		return nil
	}
	return AppendUnquoted(nil, s.b[start:bytes.LastIndexByte(s.b[start:s.i], '"')+start+1])
}

// Skip checks the next value and moves behind it. It returns the value's own bytes, nil on error.
func (s *Scanner) Skip() []byte {
	s.Peek()
	start := s.i
	if !s.to(skipValue(s.b, start, s.depth)) {
		return nil
	}
	return s.b[start:s.i:s.i]
}
