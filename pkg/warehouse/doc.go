// Package warehouse is ClickHouse as the rest of Millrace sees it: tables, columns, blocks.
//
// Files, in the order data meets them:
//
//	config.go        where ClickHouse is and how to talk to it
//	migrate.go       tables and views, brought up to date
//	column.go        columns in the bytes that go over the wire
//	dictionary.go    the columns with few values: LowCardinality
//	block.go         a table's columns side by side
//	events.go        the columns of events
//	dead_letters.go  the columns of dead_letters
//	enums.go         the names of the enumerations
//	insert.go        sending a block
//
// Blocks are written by ch-go, the wire protocol below clickhouse-go, because they can be handed over as
// the bytes that are sent: appending 100,000 rows to clickhouse-go's columns copies every value twice
// and looks each LowCardinality value up in a map[any]int. See BenchmarkInsert. Everything else goes
// through clickhouse-go.
package warehouse
