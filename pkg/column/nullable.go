package column

import (
	"bytes"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
)

// Nullable is a column with nulls.
//
// Encoding: a byte per row, 1 for null, then the values; a null has a value too. Nullable(UInt8) with 7 and null:
//
//	00 01  07 00
type Nullable[C Column] struct {
	nulls  Fixed
	Values C
}

type (
	// NullableString is a nullable column of strings.
	NullableString = Nullable[*String]
	// NullableFixed is a nullable column of values of a fixed size.
	NullableFixed = Nullable[*Fixed]
)

// NewNullable returns an empty column over an empty column of values.
func NewNullable[C Column](values C) *Nullable[C] {
	return &Nullable[C]{nulls: Fixed{kind: proto.ColumnTypeUInt8, width: 1}, Values: values}
}

// AppendFlag appends whether a row has a value. The caller also appends the value, for a null any value.
func (c *Nullable[C]) AppendFlag(hasValue bool) {
	if hasValue {
		c.nulls.Append8(0)
	} else {
		c.nulls.Append8(1)
	}
}

// IsNull reports whether a row is null.
func (c *Nullable[C]) IsNull(row int) bool { return c.nulls.bytes(row)[0] != 0 }

// HasValues reports whether any row is not null.
func (c *Nullable[C]) HasValues() bool {
	for i := range c.nulls.pageCount() {
		if bytes.IndexByte(c.nulls.page(i), 0) >= 0 {
			return true
		}
	}
	return false
}

// Type returns the ClickHouse type.
func (c *Nullable[C]) Type() proto.ColumnType {
	return proto.ColumnTypeNullable.Sub(c.Values.Type())
}

// Rows returns the number of rows.
func (c *Nullable[C]) Rows() int { return c.nulls.Rows() }

// EncodeColumn appends the bytes to a buffer of ch-go.
func (c *Nullable[C]) EncodeColumn(b *proto.Buffer) {
	c.nulls.EncodeColumn(b)
	c.Values.EncodeColumn(b)
}

// WriteColumn passes the bytes to the connection without copying them.
func (c *Nullable[C]) WriteColumn(w *proto.Writer) {
	c.nulls.WriteColumn(w)
	c.Values.WriteColumn(w)
}

// Reset removes all rows.
func (c *Nullable[C]) Reset() {
	c.nulls.Reset()
	c.Values.Reset()
}

// Size returns the memory of the values in bytes.
func (c *Nullable[C]) Size() int { return c.nulls.Size() + c.Values.Size() }

// Checksum adds the values to h.
func (c *Nullable[C]) Checksum(h *xxhash.Digest) {
	c.nulls.Checksum(h)
	c.Values.Checksum(h)
}

// ReplaceWith takes over the rows of another column.
func (c *Nullable[C]) ReplaceWith(other Column) {
	o := other.(*Nullable[C])
	c.nulls.ReplaceWith(&o.nulls)
	c.Values.ReplaceWith(o.Values)
}

// Partition copies rows into n new columns; see Column.
func (c *Nullable[C]) Partition(first int, to []int, n int) []Column {
	parts := c.Values.Partition(first, to, n)
	for i, nulls := range c.nulls.Partition(first, to, n) {
		parts[i] = &Nullable[C]{nulls: *nulls.(*Fixed), Values: parts[i].(C)}
	}
	return parts
}

// AppendNullableString appends a copy of v, or null if v is nil.
func AppendNullableString(c *NullableString, v []byte) {
	c.AppendFlag(v != nil)
	c.Values.Append(v)
}

// NextNullableString returns a view of the value of a row, or nil for null. The reader must be at that row.
func NextNullableString(c *NullableString, row int, r *StringReader) []byte {
	value := c.Values.Next(r)
	if c.IsNull(row) {
		return nil
	}
	return value
}

// AppendNullUUID appends a null that SetUUID can replace.
func AppendNullUUID(c *NullableFixed) {
	c.AppendFlag(false)
	c.Values.Append128(0, 0)
}

// SetUUID replaces the value of a row.
func SetUUID(c *NullableFixed, row int, id uuid.UUID) {
	c.nulls.bytes(row)[0] = 0
	c.Values.setUUID(row, id)
}

// UUID returns the value of a row, and false for null.
func UUID(c *NullableFixed, row int) (id uuid.UUID, ok bool) {
	if c.IsNull(row) {
		return id, false
	}
	return c.Values.uuid(row), true
}
