package warehouse

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
)

// Inserter inserts blocks over a bounded number of connections to each shard.
type Inserter struct{ cluster }

// NewInserter returns an inserter that connects on first use.
func NewInserter(config Config) (*Inserter, error) {
	s, err := newServers(config)
	if err != nil {
		return nil, err
	}
	return &Inserter{cluster{servers: s, size: config.Inserts}}, nil
}

// insertSettings returns the settings of an insert.
//
//   - async_insert is off: it would answer before the rows are written, and is the default of new servers.
//   - insert_deduplicate is on if there is a token, and off otherwise: replicas would deduplicate by content.
//   - optimize_on_insert is off: rows with one key stay side by side until a merge, as those of two inserts do.
//     Collapsing them took a quarter to a half of an insert's processor time (BenchmarkCodecs).
//   - max_partitions_per_insert_block is the bound that blocks are split to. Each month becomes a part, which is
//     deduplicated by itself.
func insertSettings(token string) []ch.Setting {
	deduplicate := "1"
	if token == "" {
		deduplicate = "0"
	}
	return []ch.Setting{
		{Key: "async_insert", Value: "0"},
		{Key: "insert_deduplicate", Value: deduplicate},
		{Key: "insert_deduplication_token", Value: token},
		{Key: "optimize_on_insert", Value: "0"},
		{Key: "max_partitions_per_insert_block", Value: strconv.Itoa(maxMonthsPerInsert)},
	}
}

// Split returns the blocks to insert for a block: each shard's rows of it, and no more than a dozen months' in each.
// Each insert may fail by itself, and be retried.
func (i *Inserter) Split(ctx context.Context, b Block) ([]Block, error) {
	pools, err := i.open(ctx)
	if err != nil {
		return nil, err
	}
	parts := b.self().split(i.slots, len(pools))
	if len(parts) == 1 && len(pools) == 1 {
		return []Block{b}, nil
	}
	blocks := make([]Block, len(parts))
	for i, p := range parts {
		blocks[i] = p
	}
	return blocks, nil
}

// Insert inserts a block under a deduplication token and returns when ClickHouse has written it. After an error the
// block may have been written or not. Retrying the same block under the same token writes it once.
func (i *Inserter) Insert(ctx context.Context, b Block, token string) error {
	return i.InsertRows(ctx, b, 0, b.Rows(), token)
}

// InsertRows inserts the rows in [from, to) of a block. The token must belong to these rows only.
func (i *Inserter) InsertRows(ctx context.Context, b Block, from, to int, token string) error {
	rows := b.self()
	if from > 0 || to < b.Rows() {
		rows = rows.slice(from, to)
	}
	p, is := b.(*partBlock)
	if !is {
		_, err := i.insert(ctx, rows, token)
		return err
	}
	pools, err := i.open(ctx)
	if err == nil {
		_, err = pools[p.shard].insert(ctx, rows, "", insertSettings(p.token(token)))
	}
	return err
}

func (p *pool) insert(
	ctx context.Context,
	b *block,
	queryID string,
	settings []ch.Setting,
) (took time.Duration, err error) {
	took, err = p.do(ctx, ch.Query{
		QueryID:  queryID,
		Body:     "INSERT INTO " + b.table + " (" + strings.Join(b.names, ", ") + ") VALUES",
		Input:    b.input(),
		Settings: settings,
	})
	if err != nil {
		return took, fmt.Errorf("insert %d rows into %s: %w", b.Rows(), b.table, err)
	}
	return took, nil
}
