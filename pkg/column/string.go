package column

import (
	"encoding/binary"

	"github.com/ClickHouse/ch-go/proto"
)

// String is a column of strings. The zero value is an empty column.
//
// Encoding: each value after its length, which is a varint. "ab" and "":
//
//	02 61 62  00
//
// A value and its length are in one page.
type String struct {
	buffer
	rows int
}

// Append appends a copy of v.
func (c *String) Append(v []byte) {
	if n := binary.MaxVarintLen32 + len(v); cap(c.last)-len(c.last) < n {
		c.grow(n)
	}
	c.last = append(binary.AppendUvarint(c.last, uint64(len(v))), v...)
	c.rows++
}

// StringReader is a position in a String column: before the first row at first. It must not be used after the column
// has changed.
type StringReader struct {
	rest     []byte // of the current page
	nextPage int
}

// Next returns a view of the value at the reader and moves the reader to the next row.
func (c *String) Next(r *StringReader) []byte {
	for len(r.rest) == 0 {
		r.rest = c.page(r.nextPage)
		r.nextPage++
	}
	length, prefix := uint64(r.rest[0]), 1
	if length >= 0x80 {
		length, prefix = binary.Uvarint(r.rest)
	}
	end := prefix + int(length)
	value := r.rest[prefix:end:end]
	r.rest = r.rest[end:]
	return value
}

// Type returns the ClickHouse type.
func (c *String) Type() proto.ColumnType { return proto.ColumnTypeString }

// Rows returns the number of rows.
func (c *String) Rows() int { return c.rows }

// Reset removes all rows.
func (c *String) Reset() {
	c.buffer.Reset()
	c.rows = 0
}

// EachKey passes a view of each value to take.
func (c *String) EachKey(take func(key []byte)) {
	var at StringReader
	for range c.rows {
		take(c.Next(&at))
	}
}

// ReplaceWith takes over the rows of another column.
func (c *String) ReplaceWith(other Column) {
	c.Reset()
	*c = *other.(*String)
}

// Partition copies rows into n new columns; see Column.
func (c *String) Partition(first int, to []int, n int) []Column {
	parts := make([]Column, n)
	for i := range parts {
		parts[i] = &String{}
	}
	var at StringReader
	for range first {
		c.Next(&at)
	}
	for _, part := range to {
		if value := c.Next(&at); part != Dropped {
			parts[part].(*String).Append(value)
		}
	}
	return parts
}
