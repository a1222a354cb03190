package column

import (
	"encoding/binary"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"
)

// Fixed is a column of values of one width: numbers, times, enums and UUIDs.
//
// Encoding: the values one after the other, little-endian. Int32 with 1 and 258:
//
//	01 00 00 00  02 01 00 00
//
// A UUID is two numbers of eight bytes, the upper half first. 00112233-4455-6677-8899-aabbccddeeff:
//
//	77 66 55 44 33 22 11 00  ff ee dd cc bb aa 99 88
type Fixed struct {
	buffer
	kind  proto.ColumnType
	width int
}

// NewFixed returns an empty column of a ClickHouse type whose values have width bytes: 1, 4, 8 or 16.
func NewFixed(kind string, width int) *Fixed {
	return &Fixed{kind: proto.ColumnType(kind), width: width}
}

func (c *Fixed) reserve(width int) {
	if cap(c.last)-len(c.last) < width {
		c.grow(width)
	}
}

// Append8 appends a value of one byte.
func (c *Fixed) Append8(v uint8) {
	c.reserve(1)
	c.last = append(c.last, v)
}

// Append32 appends a value of four bytes.
func (c *Fixed) Append32(v uint32) {
	c.reserve(4)
	c.last = binary.LittleEndian.AppendUint32(c.last, v)
}

// Append64 appends a value of eight bytes.
func (c *Fixed) Append64(v uint64) {
	c.reserve(8)
	c.last = binary.LittleEndian.AppendUint64(c.last, v)
}

// Append128 appends a value of 16 bytes.
func (c *Fixed) Append128(low, high uint64) {
	c.reserve(16)
	c.last = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(c.last, low), high)
}

// AppendUUID appends a UUID.
func (c *Fixed) AppendUUID(id uuid.UUID) {
	c.Append128(binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:]))
}

// bytes is a view of the value of a row. Writing to it changes the value.
func (c *Fixed) bytes(row int) []byte {
	at := row * c.width
	return c.page(at / pageSize)[at%pageSize:][:c.width]
}

// Int64 returns the value of a row of eight bytes.
func (c *Fixed) Int64(row int) int64 { return int64(binary.LittleEndian.Uint64(c.bytes(row))) }

func (c *Fixed) uint32(row int) uint32 { return binary.LittleEndian.Uint32(c.bytes(row)) }

func (c *Fixed) uuid(row int) (id uuid.UUID) {
	value := c.bytes(row)
	binary.BigEndian.PutUint64(id[:8], binary.LittleEndian.Uint64(value))
	binary.BigEndian.PutUint64(id[8:], binary.LittleEndian.Uint64(value[8:]))
	return id
}

// Set64 replaces the value of a row of eight bytes.
func (c *Fixed) Set64(row int, v uint64) { binary.LittleEndian.PutUint64(c.bytes(row), v) }

func (c *Fixed) setUUID(row int, id uuid.UUID) {
	value := c.bytes(row)
	binary.LittleEndian.PutUint64(value, binary.BigEndian.Uint64(id[:8]))
	binary.LittleEndian.PutUint64(value[8:], binary.BigEndian.Uint64(id[8:]))
}

// Type returns the ClickHouse type.
func (c *Fixed) Type() proto.ColumnType { return c.kind }

// Rows returns the number of rows.
func (c *Fixed) Rows() int { return c.Size() / c.width }

// ReplaceWith takes over the rows of another column.
func (c *Fixed) ReplaceWith(other Column) {
	c.Reset()
	*c = *other.(*Fixed)
}

// Partition copies rows into n new columns; see Column.
func (c *Fixed) Partition(first int, to []int, n int) []Column {
	parts := make([]Column, n)
	for i := range parts {
		parts[i] = &Fixed{kind: c.kind, width: c.width}
	}
	for row, part := range to {
		if part != Dropped {
			p := parts[part].(*Fixed)
			p.reserve(c.width)
			p.last = append(p.last, c.bytes(first+row)...)
		}
	}
	return parts
}
