package column

import (
	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
)

// TimedString is a column of Tuple(Int64, String): a time in Unix milliseconds and the value observed then.
//
// Encoding: all times, then all strings. (1, "a") and (2, ""):
//
//	01 00 00 00 00 00 00 00  02 00 00 00 00 00 00 00  01 61  00
type TimedString struct {
	times  Fixed
	values String
}

// NewTimedString returns an empty column.
func NewTimedString() *TimedString {
	return &TimedString{times: Fixed{kind: proto.ColumnTypeInt64, width: 8}}
}

// Append appends a time and a copy of value.
func (c *TimedString) Append(at int64, value []byte) {
	c.times.Append64(uint64(at))
	c.values.Append(value)
}

// Type returns the ClickHouse type.
func (c *TimedString) Type() proto.ColumnType { return "Tuple(Int64, String)" }

// Rows returns the number of rows.
func (c *TimedString) Rows() int { return c.values.rows }

// EncodeColumn appends the bytes to a buffer of ch-go.
func (c *TimedString) EncodeColumn(b *proto.Buffer) {
	c.times.EncodeColumn(b)
	c.values.EncodeColumn(b)
}

// WriteColumn passes the bytes to the connection without copying them.
func (c *TimedString) WriteColumn(w *proto.Writer) {
	c.times.WriteColumn(w)
	c.values.WriteColumn(w)
}

// Reset removes all rows.
func (c *TimedString) Reset() {
	c.times.Reset()
	c.values.Reset()
}

// Size returns the memory of the values in bytes.
func (c *TimedString) Size() int { return c.times.Size() + c.values.Size() }

// Checksum adds the values to h.
func (c *TimedString) Checksum(h *xxhash.Digest) {
	c.times.Checksum(h)
	c.values.Checksum(h)
}

// ReplaceWith takes over the rows of another column.
func (c *TimedString) ReplaceWith(other Column) {
	c.times.ReplaceWith(&other.(*TimedString).times)
	c.values.ReplaceWith(&other.(*TimedString).values)
}

// Partition copies rows into n new columns; see Column.
func (c *TimedString) Partition(first int, to []int, n int) []Column {
	parts, values := c.times.Partition(first, to, n), c.values.Partition(first, to, n)
	for i := range parts {
		parts[i] = &TimedString{times: *parts[i].(*Fixed), values: *values[i].(*String)}
	}
	return parts
}
