package warehouse

import (
	"encoding/binary"
	"math"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
)

// dictionary is a LowCardinality column: each value once, and a number for each row. Runs of one value,
// as a product's or a connection's, cost a comparison; others a look-up that allocates only for a value
// the block has not seen.
type dictionary struct {
	nullable bool
	numbers  map[string]uint32
	texts    []string // the values by number, the map's own keys
	values   text     // the same as they are sent
	keys     fixed    // a number each
	last     uint32   // the number of the row before, if there are texts
	encoded  []byte
}

func newDictionary(nullable bool) *dictionary {
	d := &dictionary{nullable: nullable, numbers: map[string]uint32{}, keys: fixed{width: 4}}
	d.reset()
	return d
}

// put appends a value; nil is null where the column is nullable.
func (c *dictionary) put(v []byte) {
	switch {
	case v == nil && c.nullable:
		c.keys.put32(0)
		return
	case len(c.texts) > 0 && string(v) == c.texts[c.last]:
		c.keys.put32(c.last)
		return
	}
	key, known := c.numbers[string(v)]
	if !known {
		key = c.learn(v)
	}
	c.last = key
	c.keys.put32(key)
}

func (c *dictionary) learn(v []byte) uint32 {
	key, s := uint32(len(c.texts)), string(v)
	c.numbers[s] = key
	c.texts = append(c.texts, s)
	c.values.put(v)
	return key
}

func (c *dictionary) Type() proto.ColumnType {
	if c.nullable {
		return proto.ColumnTypeLowCardinality.Sub(proto.ColumnTypeNullable.Sub(proto.ColumnTypeString))
	}
	return proto.ColumnTypeLowCardinality.Sub(proto.ColumnTypeString)
}

func (c *dictionary) Rows() int { return c.keys.Rows() }

// sharedDictionariesWithAdditionalKeys is the version of the keys' serialization, see ClickHouse's
// SerializationLowCardinality.cpp.
const sharedDictionariesWithAdditionalKeys = 1

// EncodeState comes before the column's bytes.
func (c *dictionary) EncodeState(b *proto.Buffer) { b.PutInt64(sharedDictionariesWithAdditionalKeys) }

const (
	hasAdditionalKeys    = 1 << 9
	needUpdateDictionary = 1 << 10
)

// Prepare writes the keys in the least width that holds them.
func (c *dictionary) Prepare() error {
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
	for i := range c.keys.count() {
		keys := c.keys.segment(i)
		for ; len(keys) > 0; keys = keys[4:] {
			b = append(b, keys[:1<<width]...) // little-endian
		}
	}
	c.encoded = b
	return nil
}

func (c *dictionary) EncodeColumn(b *proto.Buffer) { b.Buf = append(b.Buf, c.encoded...) }
func (c *dictionary) WriteColumn(w *proto.Writer)  { w.ChainWrite(c.encoded) }

func (c *dictionary) reset() {
	clear(c.numbers)
	clear(c.texts)
	c.texts, c.last = c.texts[:0], 0
	c.keys.reset()
	c.values.reset()
	if c.nullable { // number 0 is null, which no text may be taken for
		c.texts = append(c.texts, "")
		c.values.put(nil)
		c.learn(nil)
		c.last = 1
	}
}

func (c *dictionary) size() int { return c.values.size() + c.keys.size() }

func (c *dictionary) sum(h *xxhash.Digest) {
	_ = c.Prepare() // never an error
	_, _ = h.Write(c.encoded)
}
