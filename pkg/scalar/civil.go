package scalar

import (
	"bytes"
	"math"
	"strings"
)

const dayMs = 24 * 60 * 60 * 1000

// readCivil reads a date with or without a time: RFC 3339, ISO 8601, and the default texts of Go and Ruby. A month, a
// day and an hour may have one digit. T and Z may be lower case, a space may replace the T and a comma the point. The
// seconds, their fraction and the offset may be missing: no offset is UTC. The fraction is cut to milliseconds.
func readCivil(text []byte) (ms int64, ok bool) {
	c := cursor{rest: text}
	ms = c.date()
	if len(c.rest) > 0 {
		c.expect("Tt ")
		ms += c.clock()
		ms -= c.offset()
	}
	return ms, !c.bad && len(c.rest) == 0
}

// cursor reads a text from front to back. After the first error it stays bad.
type cursor struct {
	rest []byte
	bad  bool
}

// number reads least to most digits, for a number of at most limit.
func (c *cursor) number(least, most, limit int) int {
	n, i := 0, 0
	for i < most && i < len(c.rest) && c.rest[i]-'0' <= 9 {
		n = n*10 + int(c.rest[i]-'0')
		i++
	}
	c.rest = c.rest[i:]
	c.bad = c.bad || i < least || n > limit
	return n
}

// accept moves over the next byte if it is one of those.
func (c *cursor) accept(those string) bool {
	if len(c.rest) == 0 || strings.IndexByte(those, c.rest[0]) < 0 {
		return false
	}
	c.rest = c.rest[1:]
	return true
}

func (c *cursor) expect(those string) { c.bad = !c.accept(those) || c.bad }

func (c *cursor) date() int64 {
	year := c.number(4, 4, 9999)
	c.expect("-")
	month := c.number(1, 2, 12)
	c.expect("-")
	day := c.number(1, 2, 31)
	return c.days(year, month, day)
}

// days is a date in milliseconds since 1970.
func (c *cursor) days(year, month, day int) int64 {
	if c.bad || month == 0 || day == 0 || day > daysIn(year, month) {
		c.bad = true
		return 0
	}
	return daysSinceEpoch(year, month, day) * dayMs
}

// clock reads the time of day. A leap second is the second after it.
func (c *cursor) clock() int64 {
	ms := c.number(1, 2, 23) * 3_600_000
	c.expect(":")
	ms += c.number(2, 2, 59) * 60_000
	if !c.accept(":") {
		return int64(ms)
	}
	ms += c.number(2, 2, 60) * 1000
	if c.accept(".,") {
		ms += c.fraction()
	}
	return int64(ms)
}

// fraction reads the digits behind the point, of which there may be any number.
func (c *cursor) fraction() int {
	i, ms, weight := 0, 0, 100
	for i < len(c.rest) && c.rest[i]-'0' <= 9 {
		ms += int(c.rest[i]-'0') * weight
		weight /= 10
		i++
	}
	c.rest = c.rest[i:]
	c.bad = c.bad || i == 0
	return ms
}

// offset reads what follows the time of day, to the end: nothing, Z, UTC, GMT, +02:00, +0200, +02, GMT+0200, and what
// programs write after that. No offset is UTC.
func (c *cursor) offset() int64 {
	if len(c.rest) == 0 {
		return 0
	}
	if c.accept(" "); c.accept("Zz") {
		return 0
	}
	named := c.word("UTC") || c.word("GMT")
	if named && (len(c.rest) == 0 || c.rest[0] == ' ') {
		c.zoneName()
		return 0
	}
	sign := int64(1)
	if c.accept("-") {
		sign = -1
	} else {
		c.expect("+")
	}
	minutes := c.number(2, 2, 23) * 60
	if c.accept(":") || len(c.rest) > 0 && c.rest[0] != ' ' {
		minutes += c.number(2, 2, 59)
	}
	c.zoneName()
	return sign * int64(minutes) * 60_000
}

// zoneName reads what JavaScript and Go write after an offset: "(Central European Summer Time)"; or "CEST", or the
// offset again, with a monotonic clock ("m=+0.5"). The offset before it decides.
func (c *cursor) zoneName() {
	if len(c.rest) > 2 && c.rest[0] == ' ' && c.rest[1] == '(' {
		c.bad = c.bad || c.rest[len(c.rest)-1] != ')'
		c.rest = nil
		return
	}
	if len(c.rest) > 1 && c.rest[0] == ' ' && c.rest[1] != 'm' {
		c.rest = c.rest[1:]
		size := 0
		for size < len(c.rest) && size < 6 && isZoneByte(c.rest[size]) {
			size++
		}
		c.bad = c.bad || size < 3
		c.rest = c.rest[size:]
	}
	if c.word(" m=") {
		c.expect("+-")
		c.number(1, 18, math.MaxInt)
		c.expect(".")
		c.number(1, 9, math.MaxInt)
	}
}

func isZoneByte(b byte) bool { return 'A' <= b && b <= 'Z' || b-'0' <= 9 || b == '+' || b == '-' }

// word moves over a word if that comes next.
func (c *cursor) word(word string) bool {
	rest, ok := bytes.CutPrefix(c.rest, []byte(word))
	c.rest = rest
	return ok
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSinceEpoch counts from 1970-01-01 in the Gregorian calendar, for years from 0 on. Years begin in
// March here, so that the leap day is the last of its year.
func daysSinceEpoch(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	year += 400 // so that no division below is of a negative number
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	days := year*365 + year/4 - year/100 + year/400 + dayOfYear
	const daysTo1970 = 719468 + 146097 // from the first of March of the year 0, and 400 years more
	return int64(days - daysTo1970)
}
