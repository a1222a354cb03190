package scalar

import "bytes"

// The readable times: what a DateTime64(3) of ClickHouse holds, in Unix milliseconds. Others would be
// stored as something else than was sent.
const (
	MinTimeMs = -2208988800000 // 1900-01-01T00:00:00.000Z
	MaxTimeMs = 10413791999999 // 2299-12-31T23:59:59.999Z
)

// epochSeconds tells epochs apart: a number below 10^11 counts seconds (up to the year 5138), one from
// there on milliseconds (from 1973).
const epochSeconds = 100_000_000_000

// ReadTime reads when something was: RFC 3339 with any offset, ISO dates, and epochs in seconds or
// milliseconds. quoted tells a string from a number. The answer is in Unix milliseconds.
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
	if len(text) > 4 && text[4] == '-' {
		ms, ok = readCivil(text)
	} else {
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
	if whole, _ := d.magnitude().by(powers[DecimalScale]); whole.less(wide{0, epochSeconds}) {
		return d.floor(3)
	}
	return d.floor(0)
}
