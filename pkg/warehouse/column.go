package warehouse

import (
	"encoding/binary"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
)

// The columns below hold what ClickHouse's Native format puts on the wire, so that sending one is handing
// its bytes over: nothing is copied again, and a block that must be sent twice is the same bytes twice.

// column is one column of a block.
type column interface {
	proto.ColInput
	reset()
	size() int // bytes
	sum(*xxhash.Digest)
}

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
