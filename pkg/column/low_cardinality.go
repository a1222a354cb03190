package column

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
)

// LowCardinality is a column of strings with few distinct values. It holds each value once, in a dictionary, and an
// index into the dictionary for each row. Appending the value of the row before costs a comparison. Appending another
// value costs a map look-up, which allocates only if the value is new.
//
// Encoding: the version of the format, then flags with the width of an index, the size of the dictionary, its values,
// the number of rows, the indexes. "a", "b", "a" (numbers are eight bytes, shortened here):
//
//	01…  00 06…  02…  01 61 01 62  03…  00 01 00
//
// In a nullable column, index 0 is null and the dictionary starts with two empty values: null and "".
type LowCardinality struct {
	nullable  bool
	positions map[string]uint32
	texts     []string // the dictionary by index; the strings are the map's keys
	values    String   // the dictionary as it is sent
	indexes   Fixed    // four bytes each
	last      uint32   // index of the last row, valid if there are texts
	encoded   []byte
}

// NewLowCardinality returns an empty column of LowCardinality(String), or of LowCardinality(Nullable(String)).
func NewLowCardinality(nullable bool) *LowCardinality {
	c := &LowCardinality{nullable: nullable, positions: map[string]uint32{}, indexes: Fixed{width: 4}}
	c.Reset()
	return c
}

// Append appends a copy of v. In a nullable column, nil is null.
func (c *LowCardinality) Append(v []byte) {
	switch {
	case v == nil && c.nullable:
		c.indexes.Append32(0)
		return
	case len(c.texts) > 0 && string(v) == c.texts[c.last]:
		c.indexes.Append32(c.last)
		return
	}
	index, known := c.positions[string(v)]
	if !known {
		index = c.addValue(v)
	}
	c.last = index
	c.indexes.Append32(index)
}

func (c *LowCardinality) addValue(v []byte) uint32 {
	index, s := uint32(len(c.texts)), string(v)
	c.positions[s] = index
	c.texts = append(c.texts, s)
	c.values.Append(v)
	return index
}

// Value returns the value of a row. It is a view that must not be changed.
func (c *LowCardinality) Value(row int) []byte {
	s := c.texts[c.indexes.uint32(row)]
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// Distinct returns the distinct values. The slice is valid until the next Reset.
func (c *LowCardinality) Distinct() []string { return c.texts }

// Type returns the ClickHouse type.
func (c *LowCardinality) Type() proto.ColumnType {
	if c.nullable {
		return proto.ColumnTypeLowCardinality.Sub(proto.ColumnTypeNullable.Sub(proto.ColumnTypeString))
	}
	return proto.ColumnTypeLowCardinality.Sub(proto.ColumnTypeString)
}

// Rows returns the number of rows.
func (c *LowCardinality) Rows() int { return c.indexes.Rows() }

// Constants of ClickHouse's SerializationLowCardinality.cpp.
const (
	sharedDictionariesWithAdditionalKeys = 1 // version of the format

	hasAdditionalKeys    = 1 << 9
	needUpdateDictionary = 1 << 10
)

// EncodeState writes the version, which comes before the bytes of the column.
func (c *LowCardinality) EncodeState(b *proto.Buffer) {
	b.PutInt64(sharedDictionariesWithAdditionalKeys)
}

// Prepare encodes the column, with indexes of the smallest width that holds them. It never fails.
func (c *LowCardinality) Prepare() error {
	b := c.encoded[:0]
	width := 2
	switch n := c.values.rows; {
	case n <= math.MaxUint8+1:
		width = 0
	case n <= math.MaxUint16+1:
		width = 1
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(hasAdditionalKeys|needUpdateDictionary|width))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.values.rows))
	b = c.values.appendTo(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(c.Rows()))
	for i := range c.indexes.pageCount() {
		for indexes := c.indexes.page(i); len(indexes) > 0; indexes = indexes[4:] {
			b = append(b, indexes[:1<<width]...) // little-endian
		}
	}
	c.encoded = b
	return nil
}

// EncodeColumn appends the bytes to a buffer of ch-go, after Prepare.
func (c *LowCardinality) EncodeColumn(b *proto.Buffer) { b.Buf = append(b.Buf, c.encoded...) }

// WriteColumn passes the bytes to the connection without copying them, after Prepare.
func (c *LowCardinality) WriteColumn(w *proto.Writer) { w.ChainWrite(c.encoded) }

// Reset removes all rows and values.
func (c *LowCardinality) Reset() {
	clear(c.positions)
	clear(c.texts)
	c.texts, c.last = c.texts[:0], 0
	c.indexes.Reset()
	c.values.Reset()
	if c.nullable { // index 0 is null, and no string may get it
		c.texts = append(c.texts, "")
		c.values.Append(nil)
		c.addValue(nil)
		c.last = 1
	}
}

// Size returns the memory of the values and indexes in bytes.
func (c *LowCardinality) Size() int { return c.values.Size() + c.indexes.Size() }

// Checksum adds the encoded column to h.
func (c *LowCardinality) Checksum(h *xxhash.Digest) {
	_ = c.Prepare() // never an error
	_, _ = h.Write(c.encoded)
}

// EachKey passes a view of each value to take.
func (c *LowCardinality) EachKey(take func(key []byte)) {
	for row := range c.Rows() {
		take(c.Value(row))
	}
}

// ReplaceWith takes over the rows of a column with the same dictionary.
func (c *LowCardinality) ReplaceWith(other Column) {
	c.indexes.ReplaceWith(&other.(*LowCardinality).indexes)
}

// Partition copies rows into n new columns; see Column. The new columns share the dictionary, so they must not be
// reset while this column is in use.
func (c *LowCardinality) Partition(first int, to []int, n int) []Column {
	parts := make([]Column, n)
	for i, indexes := range c.indexes.Partition(first, to, n) {
		part := *c
		part.indexes, part.encoded = *indexes.(*Fixed), nil
		parts[i] = &part
	}
	return parts
}
