package warehouse

import (
	"encoding/binary"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"github.com/millrace/millrace/pkg/attribution"
)

// The columns below hold what ClickHouse's Native format puts on the wire, so that sending one is handing
// its bytes over: nothing is copied again, and a block that must be sent twice is the same bytes twice.

// column is one column of a block.
type column interface {
	proto.ColInput
	reset()
	size() int // bytes
	sum(*xxhash.Digest)
	drop(marked []bool)
	slice(from, to int) column
	scatter(to []int, n int) []column
}

// keyed is a column that can tell which shard a row is in.
type keyed interface{ each(take func(key []byte)) }

// fixed is a column of values of one width: numbers, times, enums, UUIDs, in little-endian order.
type fixed struct {
	kind  proto.ColumnType
	width int
	data  []byte
}

func newFixed(kind string, width int) *fixed {
	return &fixed{kind: proto.ColumnType(kind), width: width}
}

func (c *fixed) put8(v uint8)   { c.data = append(c.data, v) }
func (c *fixed) put32(v uint32) { c.data = binary.LittleEndian.AppendUint32(c.data, v) }
func (c *fixed) put64(v uint64) { c.data = binary.LittleEndian.AppendUint64(c.data, v) }
func (c *fixed) put128(low, high uint64) {
	c.data = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(c.data, low), high)
}

// putID appends a UUID: two numbers of eight bytes.
func (c *fixed) putID(id uuid.UUID) {
	c.put128(binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:]))
}

// setID replaces the UUID of a row.
func (c *fixed) setID(row int, id uuid.UUID) {
	binary.LittleEndian.PutUint64(c.data[16*row:], binary.BigEndian.Uint64(id[:8]))
	binary.LittleEndian.PutUint64(c.data[16*row+8:], binary.BigEndian.Uint64(id[8:]))
}

func (c *fixed) set64(row int, v uint64) { binary.LittleEndian.PutUint64(c.data[8*row:], v) }

func (c *fixed) get64(row int) int64 { return int64(binary.LittleEndian.Uint64(c.data[8*row:])) }

func (c *fixed) Type() proto.ColumnType       { return c.kind }
func (c *fixed) Rows() int                    { return len(c.data) / c.width }
func (c *fixed) EncodeColumn(b *proto.Buffer) { b.Buf = append(b.Buf, c.data...) }
func (c *fixed) WriteColumn(w *proto.Writer)  { w.ChainWrite(c.data) }
func (c *fixed) reset()                       { c.data = c.data[:0] }
func (c *fixed) size() int                    { return len(c.data) }
func (c *fixed) sum(h *xxhash.Digest)         { _, _ = h.Write(c.data) } // never an error, here and below

// text is a column of strings: each with its length before it.
type text struct {
	data []byte
	rows int
}

func (c *text) put(v []byte) {
	c.data = append(binary.AppendUvarint(c.data, uint64(len(v))), v...)
	c.rows++
}

func (c *text) Type() proto.ColumnType       { return proto.ColumnTypeString }
func (c *text) Rows() int                    { return c.rows }
func (c *text) EncodeColumn(b *proto.Buffer) { b.Buf = append(b.Buf, c.data...) }
func (c *text) WriteColumn(w *proto.Writer)  { w.ChainWrite(c.data) }
func (c *text) reset()                       { c.data, c.rows = c.data[:0], 0 }
func (c *text) size() int                    { return len(c.data) }
func (c *text) sum(h *xxhash.Digest)         { _, _ = h.Write(c.data) }

// said is a column of a time and a text, Tuple(Int64, String).
type said struct {
	at   fixed
	text text
}

func newSaid() *said { return &said{at: fixed{kind: proto.ColumnTypeInt64, width: 8}} }

func (c *said) put(s attribution.Said) {
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
	nulls  []byte
	values C
}

func newNullable[C column](values C) *nullable[C] { return &nullable[C]{values: values} }

func (c *nullable[C]) null()  { c.nulls = append(c.nulls, 1) }
func (c *nullable[C]) valid() { c.nulls = append(c.nulls, 0) }

func (c *nullable[C]) Type() proto.ColumnType {
	return proto.ColumnTypeNullable.Sub(c.values.Type())
}
func (c *nullable[C]) Rows() int { return len(c.nulls) }
func (c *nullable[C]) EncodeColumn(b *proto.Buffer) {
	b.Buf = append(b.Buf, c.nulls...)
	c.values.EncodeColumn(b)
}
func (c *nullable[C]) WriteColumn(w *proto.Writer) {
	w.ChainWrite(c.nulls)
	c.values.WriteColumn(w)
}
func (c *nullable[C]) reset() {
	c.nulls = c.nulls[:0]
	c.values.reset()
}
func (c *nullable[C]) size() int { return len(c.nulls) + c.values.size() }
func (c *nullable[C]) sum(h *xxhash.Digest) {
	_, _ = h.Write(c.nulls)
	c.values.sum(h)
}

// putText appends a string, or null for nil.
func putText(c *nullable[*text], v []byte) {
	if v == nil {
		c.null()
		c.values.put(nil)
		return
	}
	c.valid()
	c.values.put(v)
}

// putNothing appends a null that setID can replace.
func putNothing(c *nullable[*fixed]) {
	c.null()
	c.values.put128(0, 0)
}

// putID puts a UUID in the place of a row's null.
func putID(c *nullable[*fixed], row int, id uuid.UUID) {
	c.nulls[row] = 0
	c.values.setID(row, id)
}
