// Package loader takes messages out of the log, makes events of them and puts those into ClickHouse.
//
// A message's way, file by file:
//
//	service.go  what the loader is made of, how it starts and stops
//	reader.go   polls the log and hands each partition's records to its lane
//	schedule.go   which partitions are read, if more are far behind than can be inserted at once
//	memory.go   how much may be held at once
//	worker.go    one partition: records become chunks, chunks are handed to the sender
//	batch.go    what is inserted at once: a contiguous range of offsets
//	events.go   a message becomes a row of events, or a dead letter
//	dead_letters.go  a dead letter becomes a row of dead_letters
//	supersede.go what comes of a replay wins over what is stored
//	duplicates.go  what comes again with another timestamp is dropped
//	refused.go  rows that ClickHouse refuses alone become dead letters
//	observation.go  an identify or an activity becomes what it says of a user
//	sender.go   attribute, insert, then dead letters, then commit: the order that loses nothing
//
// Users, organizations and conversations of events are pkg/attribution's:
//
//	attribution.go  what attribution asks of the loader
//
//	lag.go      how far behind a partition is, in records and in time
//	metrics.go  what is counted
package loader
