package warehouse

import (
	"encoding/binary"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"github.com/millrace/millrace/pkg/identity"
)

// The columns below hold what ClickHouse's Native format puts on the wire, so that sending one is handing
// its bytes over: nothing is copied again, and a block that must be sent twice is the same bytes twice.

// column is one column of a block.
type column interface {
	proto.ColInput
	reset()
	size() int // bytes
	sum(*xxhash.Digest)
	scatter(first int, to []int, n int) []column
	become(column) // takes its rows over
}

// keyed is a column that can tell which shard a row is in.
type keyed interface{ each(take func(key []byte)) }

// fixed is a column of values of one width: numbers, times, enums, UUIDs, in little-endian order.
type fixed struct {
	segments
	kind  proto.ColumnType
	width int
}

func newFixed(kind string, width int) *fixed {
	return &fixed{kind: proto.ColumnType(kind), width: width}
}

// room makes room for a value.
func (c *fixed) room(width int) {
	if cap(c.open)-len(c.open) < width {
		c.more(width)
	}
}

func (c *fixed) put8(v uint8) {
	c.room(1)
	c.open = append(c.open, v)
}

func (c *fixed) put32(v uint32) {
	c.room(4)
	c.open = binary.LittleEndian.AppendUint32(c.open, v)
}

func (c *fixed) put64(v uint64) {
	c.room(8)
	c.open = binary.LittleEndian.AppendUint64(c.open, v)
}

func (c *fixed) put128(low, high uint64) {
	c.room(16)
	c.open = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(c.open, low), high)
}

// putID appends a UUID: two numbers of eight bytes.
func (c *fixed) putID(id uuid.UUID) {
	c.put128(binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:]))
}

// at is the value of a row, to read or to change.
func (c *fixed) at(row int) []byte {
	at := row * c.width
	return c.segment(at / segmentSize)[at%segmentSize:][:c.width]
}

// setID replaces the UUID of a row.
func (c *fixed) setID(row int, id uuid.UUID) {
	value := c.at(row)
	binary.LittleEndian.PutUint64(value, binary.BigEndian.Uint64(id[:8]))
	binary.LittleEndian.PutUint64(value[8:], binary.BigEndian.Uint64(id[8:]))
}

func (c *fixed) set64(row int, v uint64) { binary.LittleEndian.PutUint64(c.at(row), v) }

func (c *fixed) get64(row int) int64 { return int64(binary.LittleEndian.Uint64(c.at(row))) }

func (c *fixed) get32(row int) uint32 { return binary.LittleEndian.Uint32(c.at(row)) }

func (c *fixed) Type() proto.ColumnType       { return c.kind }
func (c *fixed) Rows() int                    { return c.size() / c.width }
func (c *fixed) EncodeColumn(b *proto.Buffer) { b.Buf = c.appendTo(b.Buf) }
func (c *fixed) WriteColumn(w *proto.Writer)  { c.write(w) }

// text is a column of strings: each with its length before it, in one segment.
type text struct {
	segments
	rows int
}

func (c *text) put(v []byte) {
	if n := binary.MaxVarintLen32 + len(v); cap(c.open)-len(c.open) < n {
		c.more(n)
	}
	c.open = append(binary.AppendUvarint(c.open, uint64(len(v))), v...)
	c.rows++
}

// cursor is before a text: at the head of what is left of a segment, and before the segment that comes then.
type cursor struct {
	left    []byte
	segment int
}

// next is the text behind the cursor, which goes on to the one after that.
func (c *text) next(at *cursor) []byte {
	for len(at.left) == 0 {
		at.left = c.segment(at.segment)
		at.segment++
	}
	length, prefix := uint64(at.left[0]), 1
	if length >= 0x80 {
		length, prefix = binary.Uvarint(at.left)
	}
	end := prefix + int(length)
	value := at.left[prefix:end:end]
	at.left = at.left[end:]
	return value
}

func (c *text) Type() proto.ColumnType       { return proto.ColumnTypeString }
func (c *text) Rows() int                    { return c.rows }
func (c *text) EncodeColumn(b *proto.Buffer) { b.Buf = c.appendTo(b.Buf) }
func (c *text) WriteColumn(w *proto.Writer)  { c.write(w) }
func (c *text) reset() {
	c.segments.reset()
	c.rows = 0
}

// said is a column of a time and a text, Tuple(Int64, String).
type said struct {
	at   fixed
	text text
}

func newSaid() *said { return &said{at: fixed{kind: proto.ColumnTypeInt64, width: 8}} }

func (c *said) put(s identity.Timestamped) {
	c.at.put64(uint64(s.At))
	c.text.put(s.Text)
}

func (c *said) Type() proto.ColumnType { return "Tuple(Int64, String)" }
func (c *said) Rows() int              { return c.text.rows }
func (c *said) EncodeColumn(b *proto.Buffer) {
	c.at.EncodeColumn(b)
	c.text.EncodeColumn(b)
}
func (c *said) WriteColumn(w *proto.Writer) {
	c.at.WriteColumn(w)
	c.text.WriteColumn(w)
}
func (c *said) reset() {
	c.at.reset()
	c.text.reset()
}
func (c *said) size() int { return c.at.size() + c.text.size() }
func (c *said) sum(h *xxhash.Digest) {
	c.at.sum(h)
	c.text.sum(h)
}

// nullable puts a map of nulls, a byte a row, before another column's values.
type nullable[C column] struct {
	nulls  *fixed
	values C
}

func newNullable[C column](values C) *nullable[C] {
	return &nullable[C]{nulls: newFixed("UInt8", 1), values: values}
}

// has tells whether a row has a value. It comes before the value, which a null has too.
func (c *nullable[C]) has(value bool) {
	if value {
		c.nulls.put8(0)
	} else {
		c.nulls.put8(1)
	}
}

func (c *nullable[C]) isNull(row int) bool { return c.nulls.at(row)[0] != 0 }

func (c *nullable[C]) Type() proto.ColumnType {
	return proto.ColumnTypeNullable.Sub(c.values.Type())
}
func (c *nullable[C]) Rows() int { return c.nulls.Rows() }
func (c *nullable[C]) EncodeColumn(b *proto.Buffer) {
	c.nulls.EncodeColumn(b)
	c.values.EncodeColumn(b)
}
func (c *nullable[C]) WriteColumn(w *proto.Writer) {
	c.nulls.WriteColumn(w)
	c.values.WriteColumn(w)
}
func (c *nullable[C]) reset() {
	c.nulls.reset()
	c.values.reset()
}
func (c *nullable[C]) size() int { return c.nulls.size() + c.values.size() }
func (c *nullable[C]) sum(h *xxhash.Digest) {
	c.nulls.sum(h)
	c.values.sum(h)
}

// putText appends a string, or null for nil.
func putText(c *nullable[*text], v []byte) {
	c.has(v != nil)
	c.values.put(v)
}

// putNothing appends a null that setID can replace.
func putNothing(c *nullable[*fixed]) {
	c.has(false)
	c.values.put128(0, 0)
}

// putID puts a UUID in the place of a row's null.
func putID(c *nullable[*fixed], row int, id uuid.UUID) {
	c.nulls.at(row)[0] = 0
	c.values.setID(row, id)
}
