package scalar

import "bytes"

// readNamed reads a date with names of weekday and month: RFC 1123 ("Mon, 18 May 2026 12:00:00 GMT") and the default
// text of JavaScript ("Mon May 18 2026 12:00:00 GMT+0000 (Coordinated Universal Time)").
func readNamed(text []byte) (ms int64, ok bool) {
	c := cursor{rest: text}
	c.name(weekdays)
	c.accept(",")
	c.expect(" ")
	var day, month int
	if len(c.rest) > 0 && c.rest[0]-'0' <= 9 {
		day = c.number(1, 2, 31)
		c.expect(" ")
		month = c.name(months)
	} else {
		month = c.name(months)
		c.expect(" ")
		day = c.number(1, 2, 31)
	}
	c.expect(" ")
	ms = c.days(c.number(4, 4, 9999), month, day)
	c.expect(" ")
	ms += c.clock()
	ms -= c.offset()
	return ms, !c.bad && len(c.rest) == 0
}

// The names of weekdays and months, of three letters each.
const (
	weekdays = "SunMonTueWedThuFriSat"
	months   = "JanFebMarAprMayJunJulAugSepOctNovDec"
)

// name reads one of the names, and returns its number, from 1 on.
func (c *cursor) name(names string) int {
	for i := 0; i < len(names); i += 3 {
		if bytes.HasPrefix(c.rest, []byte(names[i:i+3])) {
			c.rest = c.rest[3:]
			return i/3 + 1
		}
	}
	c.bad = true
	return 0
}
