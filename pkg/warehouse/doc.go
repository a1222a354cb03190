// Package warehouse is ClickHouse as the rest of Millrace sees it: tables, columns, blocks.
//
// Files, in the order data meets them:
//
//	config.go         where ClickHouse is and how to talk to it
//	shards.go         which shards a cluster has, and what is in which
//	migrate.go        tables and views, brought up to date
//	migrate_cluster.go  on every server of a cluster, and what asks all shards
//	segments.go       bytes that grow, of memory that all blocks share
//	column.go         columns in the bytes that go over the wire
//	dictionary.go     the columns with few values: LowCardinality
//	block.go          a table's columns side by side
//	events.go         the columns of events
//	dead_letters.go   the columns of dead_letters
//	enums.go          the names of the enumerations
//	claims.go         the columns of what is learnt of users, organizations and conversations
//	pool.go           connections
//	replicas.go       which of a shard's replicas they are to
//	cluster.go        a pool for each shard, and a block's rows spread over them
//	insert.go         sending a block
//	rows.go           some of a block's rows
//	errors.go         which errors blame the rows, and not the server
//	supersede.go      rows that those of a replay win over
//	deliveries.go     rows of insert ids that came before
//	entities.go       whom a block's events are about: read back from it, and filled in
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
// Blocks are written by ch-go, the wire protocol below clickhouse-go, because they can be handed over as
// the bytes that are sent: appending 100,000 rows to clickhouse-go's columns copies every value twice
// and looks each LowCardinality value up in a map[any]int. See BenchmarkInsert. Look-ups go the same way, since
// what is asked for is sent along as a table. Migrations, and what people ask, go through clickhouse-go.
package warehouse
