// Package warehouse is ClickHouse as the rest of Millrace sees it: tables, columns, blocks.
//
// Files, in the order data meets them:
//
//	config.go         where ClickHouse is and how to talk to it
//	shards.go         which shards a cluster has, and what is in which
//	migrate.go        tables and views, brought up to date
//	migrate_cluster.go  on every server of a cluster, and what asks all shards
//	block.go          a table's columns side by side
//	columns.go        how a table's columns are declared and filled
//	events.go         the columns of events
//	event_rows.go     what is read back from a block of events, and the ids set in it
//	dead_letters.go   the columns of dead_letters
//	claims.go         the columns of what is learnt of users, organizations and conversations
//	pool.go           connections
//	replicas.go       which of a shard's replicas they are to
//	cluster.go        a pool for each shard, and a block's rows spread over them
//	months.go         which rows are inserted together: a bounded number of partitions
//	insert.go         sending a block
//	errors.go         which errors blame the rows, and not the server
//	supersede.go      rows that those of a replay win over
//	deliveries.go     rows of insert ids that came before
//	lookup.go         what is known of users, asked in bulk
//	preload.go        all that is known of them
//	conversations.go  the same of conversations
//	changes.go        what other loaders have learnt, and how far that has been worked in
//	reattribute.go    stored rows that may be about somebody else by now
//	revise.go         and those that are, written once more
//	reader.go         what people ask
//	parameters.go     and the same question to be copied
//	doctor.go         what the doctor asks of the server
//	doctor_tables.go  and of our tables in it
//	doctor_cluster.go  on every server of a cluster
//
// Blocks and look-ups use ch-go, the wire protocol below clickhouse-go, because a block of pkg/column is sent as the
// bytes it holds (see BenchmarkInsert) and a look-up sends its keys as external tables. Migrations, the doctor and the
// queries of people use clickhouse-go.
package warehouse
