package warehouse

import (
	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
)

// block is a table's columns side by side.
type block struct {
	table   string
	names   []string
	columns []column
	derived int // of the columns, how many at the end hold what was derived from more than the messages
}

func (b *block) add(name string, c column) {
	b.names = append(b.names, name)
	b.columns = append(b.columns, c)
}

// Rows is the number of rows.
func (b *block) Rows() int { return b.columns[0].Rows() }

// Bytes is what the columns hold.
func (b *block) Bytes() int {
	n := 0
	for _, c := range b.columns {
		n += c.size()
	}
	return n
}

// Checksum is a checksum of what came of the messages: blocks of the same ones in the same order have the same.
func (b *block) Checksum() uint64 {
	h := xxhash.New()
	for _, c := range b.columns[:len(b.columns)-b.derived] {
		c.sum(h)
	}
	return h.Sum64()
}

// Reset empties the block and keeps its memory.
func (b *block) Reset() {
	for _, c := range b.columns {
		c.reset()
	}
}

func (b *block) input() proto.Input {
	input := make(proto.Input, len(b.columns))
	for i, c := range b.columns {
		input[i] = proto.InputColumn{Name: b.names[i], Data: c}
	}
	return input
}

func (b *block) self() *block { return b }

func (b *block) addDictionary(name string, nullable bool) *dictionary {
	c := newDictionary(nullable)
	b.add(name, c)
	return c
}

func (b *block) addText(name string) *text {
	c := &text{}
	b.add(name, c)
	return c
}

func (b *block) addNullableText(name string) *nullable[*text] {
	c := newNullable(&text{})
	b.add(name, c)
	return c
}

func (b *block) addFixed(name, kind string, width int) *fixed {
	c := newFixed(kind, width)
	b.add(name, c)
	return c
}

func (b *block) addNullableFixed(name, kind string, width int) *nullable[*fixed] {
	c := newNullable(newFixed(kind, width))
	b.add(name, c)
	return c
}

func (b *block) addSaid(name string) *said {
	c := newSaid()
	b.add(name, c)
	return c
}

const (
	dateTime64 = "DateTime64(3, 'UTC')"
	decimal128 = "Decimal(38, 18)"
)
