//go:build linux

// Command chaos sends events through real edges and loaders while everything around them breaks, and says
// what became of each. See README.md.
//
// Files, in the order a run meets them:
//
//	main.go         flags, and a run from its start to its verdict
//	world.go        the processes and the links between them
//	parts.go        edges and loaders among them
//	query.go        what ClickHouse is asked past all links
//	process.go      one program, killed and started again
//	brokers.go      Apache Kafka, or the broker in this process
//	disk.go         a disk that can be full
//	message.go      what is sent, and what has to become of it
//	ledger.go       what was sent and how it was answered
//	sender.go       the load: time-outs, retries and resends as senders make them
//	plan.go         which faults, when, by the seed
//	kinds.go        the kinds of faults
//	brokerkinds.go  those of the brokers
//	controls.go     runs with one kind only: those that find a missing protection out, and a quiet one
//	faults.go       one fault: made, healed and recovered from
//	compact.go      merges that hide nothing
//	watch.go        the group's progress, and memory
//	oracle.go       what must be there, and what must not
//	report.go       the table
package main
