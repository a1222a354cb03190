package warehouse

import (
	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"

	"github.com/millrace/millrace/pkg/column"
)

// Block holds rows of a table on their way to ClickHouse: Events, DeadLetters, or one shard's rows of them.
type Block interface {
	Rows() int
	Bytes() int
	Checksum() uint64
	Offset(row int) int64 // of the row's record in Kafka
	Reset()
	self() *block
}

// block holds the columns of a table side by side.
type block struct {
	table   string
	names   []string
	columns []column.Column
	derived int // number of columns at the end that hold more than the messages say
}

func (b *block) self() *block { return b }

// Rows returns the number of rows.
func (b *block) Rows() int { return b.columns[0].Rows() }

// Bytes returns the memory of the values.
func (b *block) Bytes() int {
	n := 0
	for _, c := range b.columns {
		n += c.Size()
	}
	return n
}

// Checksum covers what the messages say: the same messages in the same order give the same checksum.
func (b *block) Checksum() uint64 {
	h := xxhash.New()
	for _, c := range b.columns[:len(b.columns)-b.derived] {
		c.Checksum(h)
	}
	return h.Sum64()
}

// Reset removes all rows. Large memory goes back to a pool that all blocks share.
func (b *block) Reset() {
	for _, c := range b.columns {
		c.Reset()
	}
}

// RemoveRows removes the marked rows.
func (b *block) RemoveRows(marked []bool) {
	to := make([]int, len(marked))
	for row, remove := range marked {
		if remove {
			to[row] = column.Dropped
		}
	}
	for _, c := range b.columns {
		c.ReplaceWith(c.Partition(0, to, 1)[0])
	}
}

// slice copies the rows in [from, to) to a new block.
func (b *block) slice(from, to int) *block { return b.partition(from, make([]int, to-from), 1)[0] }

// partition copies the rows from first on into n new blocks: row first+i goes to block to[i].
func (b *block) partition(first int, to []int, n int) []*block {
	parts := make([]*block, n)
	for i := range parts {
		parts[i] = &block{
			table:   b.table,
			names:   b.names,
			derived: b.derived,
			columns: make([]column.Column, len(b.columns)),
		}
	}
	for i, c := range b.columns {
		for part, rows := range c.Partition(first, to, n) {
			parts[part].columns[i] = rows
		}
	}
	return parts
}

// input is the block as ch-go sends it. It views the columns.
func (b *block) input() proto.Input {
	input := make(proto.Input, len(b.columns))
	for i, c := range b.columns {
		input[i] = proto.InputColumn{Name: b.names[i], Data: c}
	}
	return input
}
