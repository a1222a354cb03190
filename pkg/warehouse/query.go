package warehouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// query is a look-up: a SELECT whose keys are sent along as external tables.
type query struct {
	what    string // is looked up, for errors
	sql     string
	tables  []ch.ExternalTable
	columns proto.Results // added by result
}

// result adds the next column of the result. Its name must be the column's name or alias in the SELECT.
func result[C any, P interface {
	*C
	proto.ColResult
}](q *query, name string) P {
	c := P(new(C))
	q.columns = append(q.columns, proto.ResultColumn{Name: name, Data: c})
	return c
}

// collect runs a query and returns what row makes of each row of the result.
func collect[T any](ctx context.Context, l *Lookup, q *query, row func(int) T) (all []T, err error) {
	err = l.read(ctx, q, func(rows int) error {
		for i := range rows {
			all = append(all, row(i))
		}
		return nil
	})
	return all, err
}

// read runs a query and calls take for each block of the result: take reads that number of rows from the query's
// columns. Each shard answers by itself, so rows that are grouped must have one sharding key.
func (l *Lookup) read(ctx context.Context, q *query, take func(rows int) error) error {
	err := l.eachShard(ctx, func(p *pool) error {
		_, err := p.do(ctx, ch.Query{
			Body: q.sql, ExternalTables: q.tables, Result: q.columns,
			Settings: []ch.Setting{
				{Key: "low_cardinality_allow_in_native_format", Value: "0"},
				{Key: "max_block_size", Value: "16384"}, // bounds the memory of a block of the result
			},
			OnResult: func(_ context.Context, b proto.Block) error { return take(b.Rows) },
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("look up %s: %w", q.what, err)
	}
	return nil
}

// externalTable is a table that is sent along with a query.
func externalTable(name string, columns ...proto.InputColumn) ch.ExternalTable {
	return ch.ExternalTable{Name: name, Data: columns}
}

func input(name string, values proto.ColInput) proto.InputColumn {
	return proto.InputColumn{Name: name, Data: values}
}

func stringsOf(values []string) *proto.ColStr {
	c := &proto.ColStr{}
	c.AppendArr(values)
	return c
}

// nameTable is an external table of names in scopes.
type nameTable struct{ scopes, names proto.ColStr }

func (n *nameTable) add(scope, name []byte) {
	n.scopes.AppendBytes(scope)
	n.names.AppendBytes(name)
}

func (n *nameTable) as(name string) ch.ExternalTable {
	return externalTable(name, input("scope", &n.scopes), input("name", &n.names))
}

// noID stands for null where a UUID is read or sent.
const noID = "toUUID('00000000-0000-0000-0000-000000000000')"

// The range of DateTime64 in Unix milliseconds: the years 1900 to 2299.
const (
	earliestTime = -2208988800_000
	latestTime   = 10413791999_999
)

func clampTime(at int64) int64 { return min(max(at, earliestTime), latestTime) }

// millisecondsSQL is a time in Unix milliseconds as SQL.
func millisecondsSQL(at int64) string {
	return fmt.Sprintf("fromUnixTimestamp64Milli(%d, 'UTC')", clampTime(at))
}
