package column

import (
	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
)

// Column is one column of a block. It is not safe for concurrent changes.
type Column interface {
	proto.ColInput

	// Reset removes all rows. Large memory goes back to the pool.
	Reset()
	// Size returns the memory of the values in bytes.
	Size() int
	// Checksum adds the values to h.
	Checksum(h *xxhash.Digest)
	// Partition copies the rows from first on into n new columns. Row first+i goes to column to[i], or nowhere if
	// to[i] is Dropped.
	Partition(first int, to []int, n int) []Column
	// ReplaceWith takes over the rows of a column that Partition returned.
	ReplaceWith(Column)
}

// Dropped marks a row that Partition copies to no column.
const Dropped = -1

// Keyed is a column whose values can be a sharding key.
type Keyed interface {
	// EachKey passes the value of each row to take, in order. The value is a view.
	EachKey(take func(key []byte))
}
