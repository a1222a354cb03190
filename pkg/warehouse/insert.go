package warehouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
)

// Block is a table's rows on their way: Events or DeadLetters.
type Block interface {
	Rows() int
	Bytes() int
	Sum() uint64
	Offset(row int) int64 // in Kafka
	Reset()
	self() *block
}

// Inserter sends blocks over a bounded number of connections.
type Inserter struct{ pool }

// NewInserter makes an inserter; connections are opened when they are needed.
func NewInserter(config Config) (*Inserter, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Inserter{newPool(config, config.Inserts)}, nil
}

// insertSettings are sent with each block.
//
//   - async_insert would answer before the rows are written, and is on by default in new servers.
//   - One block may span any number of months: each becomes a part, and each part is recognised on its
//     own when the block is sent again.
//   - Rows of one key may lie side by side until they are merged, as those of two inserts do; looking for them in each
//     block took a quarter to a half of an insert's processor time (BenchmarkCodecs).
//   - The dictionary of a LowCardinality column comes as it is.
func insertSettings(token string) []ch.Setting {
	return []ch.Setting{
		{Key: "async_insert", Value: "0"},
		{Key: "insert_deduplicate", Value: "1"},
		{Key: "insert_deduplication_token", Value: token},
		{Key: "optimize_on_insert", Value: "0"},
		{Key: "max_partitions_per_insert_block", Value: "0"},
	}
}

// Insert sends a block under its token and returns when ClickHouse has written it. After an error it
// may have been written or not: only sending the same block under the same token again settles it.
func (i *Inserter) Insert(ctx context.Context, b Block, token string) error {
	_, err := i.insert(ctx, b.self(), insertSettings(token))
	return err
}

// InsertRows is Insert for the rows from one to before another. The token is theirs alone.
func (i *Inserter) InsertRows(ctx context.Context, b Block, from, to int, token string) error {
	_, err := i.insert(ctx, b.self().slice(from, to), insertSettings(token))
	return err
}

func (p *pool) insert(ctx context.Context, b *block, settings []ch.Setting) (took time.Duration, err error) {
	took, err = p.do(ctx, ch.Query{
		Body:     "INSERT INTO " + b.table + " (" + strings.Join(b.names, ", ") + ") VALUES",
		Input:    b.input(),
		Settings: settings,
	})
	if err != nil {
		return took, fmt.Errorf("insert %d rows into %s: %w", b.Rows(), b.table, err)
	}
	return took, nil
}
