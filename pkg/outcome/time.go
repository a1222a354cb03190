package outcome

import (
	"bytes"

	"github.com/millrace/millrace/pkg/rawjson"
)

// The readable times: what a DateTime64(3) of ClickHouse holds, in Unix milliseconds. Others would be
// stored as something else than was sent.
const (
	minTimeMs = -2208988800000 // 1900-01-01T00:00:00.000Z
	maxTimeMs = 10413791999999 // 2299-12-31T23:59:59.999Z
)

// epochSeconds tells epochs apart: a number below 10^11 counts seconds (up to the year 5138), one from
// there on milliseconds (from 1973).
const epochSeconds = 100_000_000_000

// time reads when it happened: the first readable time counts, or else when the edge received it.
func (m *Mapper) time(receivedAtUs int64, e *Event) {
	for source := FromTimestamp; source < FromEdge; source++ {
		value := m.fields.times[source]
		text, ok := m.scalar(value)
		if !ok || rawjson.KindOf(value) == rawjson.String && isYearOrCompactDate(text) {
			continue
		}
		if at, ok := readTime(text); ok {
			e.EventAt, e.EventAtSource = at, source
			return
		}
	}
	e.EventAt, e.EventAtSource = receivedAtUs/1000, FromEdge
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
	return ms, ok && minTimeMs <= ms && ms <= maxTimeMs
}

func readEpoch(text []byte) (ms int64, ok bool) {
	if !isPlainNumber(text) {
		return 0, false
	}
	n, ok := readNumber(text)
	if !ok {
		return 0, false
	}
	d, ok := n.decimal()
	if !ok {
		return 0, false
	}
	if whole, _ := d.magnitude().by(powers[DecimalScale]); whole.less(wide{0, epochSeconds}) {
		return d.floor(3)
	}
	return d.floor(0)
}
