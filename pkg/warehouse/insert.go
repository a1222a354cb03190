package warehouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/ch-go"
)

// Block is a table's rows on their way: Events or DeadLetters.
type Block interface {
	Rows() int
	Bytes() int
	Sum() uint64
	Reset()
	self() *block
}

// Inserter sends blocks over a bounded number of connections.
type Inserter struct {
	config Config
	idle   chan *ch.Client // nil stands for a connection that is still to be opened
}

// NewInserter makes an inserter; connections are opened when they are needed.
func NewInserter(config Config) (*Inserter, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	i := &Inserter{config: config, idle: make(chan *ch.Client, config.Inserts)}
	for range config.Inserts {
		i.idle <- nil
	}
	return i, nil
}

// insertSettings are sent with each block.
//
//   - async_insert would answer before the rows are written, and is on by default in new servers.
//   - One block may span any number of months: each becomes a part, and each part is recognised on its
//     own when the block is sent again.
//   - The dictionary of a LowCardinality column comes as it is.
func insertSettings(token string) []ch.Setting {
	return []ch.Setting{
		{Key: "async_insert", Value: "0"},
		{Key: "insert_deduplicate", Value: "1"},
		{Key: "insert_deduplication_token", Value: token},
		{Key: "max_partitions_per_insert_block", Value: "0"},
	}
}

// Insert sends a block under its token and returns when ClickHouse has written it. After an error it
// may have been written or not: only sending the same block under the same token again settles it.
func (i *Inserter) Insert(ctx context.Context, b Block, token string) error {
	var client *ch.Client
	select {
	case client = <-i.idle:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { i.idle <- client }()
	var err error
	if client, err = i.send(ctx, client, b.self(), token); err != nil {
		return fmt.Errorf("insert %d rows into %s: %w", b.Rows(), b.self().table, err)
	}
	return nil
}

// send returns the connection if it can be used again.
func (i *Inserter) send(ctx context.Context, client *ch.Client, b *block, token string) (*ch.Client, error) {
	if client != nil && client.IsClosed() {
		client = nil
	}
	if client == nil {
		var err error
		if client, err = ch.Dial(ctx, i.config.options()); err != nil {
			return nil, err
		}
	}
	// The client looks at its context only between reads, and goes on reading from a server that is silent:
	// closing the connection ends both.
	ctx, cancel := context.WithTimeout(ctx, i.config.Timeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	err := client.Do(ctx, ch.Query{
		Body:     "INSERT INTO " + b.table + " (" + strings.Join(b.names, ", ") + ") VALUES",
		Input:    b.input(),
		Settings: insertSettings(token),
	})
	if err != nil {
		_ = client.Close() // what has gone over it is unknown
		return nil, err
	}
	return client, nil
}

// Close ends the connections. No insert may be under way.
func (i *Inserter) Close() {
	for range i.config.Inserts {
		if client := <-i.idle; client != nil {
			_ = client.Close() // ErrClosed if it broke before
		}
	}
}
