package scalar

import "bytes"

// The readable times are those of ClickHouse's DateTime64(3), in Unix milliseconds.
const (
	MinTimeMs = -2208988800000 // 1900-01-01T00:00:00.000Z
	MaxTimeMs = 10413791999999 // 2299-12-31T23:59:59.999Z
)

// Magnitudes tell the units of epochs: a number below maxSeconds counts seconds (up to the year 5138), one below
// maxMillis milliseconds (1973 to 5138), one below maxMicros microseconds, and any other nanoseconds.
const (
	maxSeconds = 100_000_000_000
	maxMillis  = 1000 * maxSeconds
	maxMicros  = 1000 * maxMillis
)

// ReadTime reads a time: RFC 3339 with any offset, ISO dates, RFC 1123, the default texts of JavaScript, Go and Ruby,
// and epochs in seconds, milli-, micro- or nanoseconds. quoted tells a string from a number. The result is in Unix
// milliseconds.
func ReadTime(text []byte, quoted bool) (ms int64, ok bool) {
	if quoted && isYearOrCompactDate(text) {
		return 0, false
	}
	return readTime(text)
}

// isYearOrCompactDate tells strings such as 2026 and 20260518 from epochs, which as numbers of that size
// would lie in 1970.
func isYearOrCompactDate(text []byte) bool {
	const shortestEpoch = 9 // digits, from 1973 on
	text = bytes.TrimSpace(text)
	return len(text) < shortestEpoch && bytes.IndexByte(text, '-') < 0
}

// readTime reads a date, a date and time, or an epoch, to the millisecond that it lies in.
func readTime(text []byte) (ms int64, ok bool) {
	text = bytes.TrimSpace(text)
	switch {
	case len(text) > 4 && text[4] == '-':
		ms, ok = readCivil(text)
	case len(text) > 0 && isASCIILetter(text[0]):
		ms, ok = readNamed(text)
	default:
		ms, ok = readEpoch(text)
	}
	return ms, ok && MinTimeMs <= ms && ms <= MaxTimeMs
}

func readEpoch(text []byte) (ms int64, ok bool) {
	if !isPlainNumber(text) {
		return 0, false
	}
	n, ok := ReadNumber(text)
	if !ok {
		return 0, false
	}
	d, ok := n.Decimal()
	if !ok {
		return 0, false
	}
	whole, _ := d.magnitude().by(powers[DecimalScale])
	switch {
	case whole.less(wide{0, maxSeconds}):
		return d.floor(3)
	case whole.less(wide{0, maxMillis}):
		return d.floor(0)
	case whole.less(wide{0, maxMicros}):
		ms, ok = d.floor(0)
		return floorDiv(ms, 1000), ok
	}
	ms, ok = d.floor(0)
	return floorDiv(ms, 1_000_000), ok
}

// floorDiv is n/d, rounded down.
func floorDiv(n, d int64) int64 {
	if n%d < 0 {
		return n/d - 1
	}
	return n / d
}
