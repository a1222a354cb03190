// Package loader takes messages out of the log, makes events of them and puts those into ClickHouse.
//
// A message's way, file by file:
//
//	service.go  what the loader is made of, how it starts and stops
//	reader.go   polls the log and hands each partition's records to its lane
//	budget.go   how much may be held at once
//	lane.go     one partition: records become chunks, chunks are handed to the sender
//	chunk.go    what is inserted at once: a contiguous range of offsets
//	events.go   a message becomes a row of events, or a dead letter
//	letters.go  a dead letter becomes a row of dead_letters
//	sender.go   insert, then dead letters, then commit: the order that loses nothing
//	metrics.go  what is counted
package loader
