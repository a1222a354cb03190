//go:build linux

// Command chaos sends events through real edges and loaders while it injects faults into everything around them, and
// checks what is stored. See README.md.
//
// Files, in the order a run uses them:
//
//	main.go        flags, and a run from its start to its result
//	system.go      the processes and the links between them
//	services.go    edges and loaders
//	process.go     one program, killed and restarted
//	brokers.go     Apache Kafka, or the broker in this process
//	disk.go        a disk that can be full
//	message.go     the messages, and the outcomes that must result
//	ledger.go      what was sent, and its answers
//	sender.go      the load: time-outs, retries and duplicates as senders make them
//	plan.go        which faults, at what time, by the seed
//	kinds.go       the kinds of faults
//	kafkakinds.go  the kinds of faults of the brokers
//	controls.go    runs with a single kind of fault
//	inject.go      one fault: injected, healed and recovered from
//	compact.go     merges, which are otherwise off
//	watch.go       the group's progress, and memory
//	check.go       compares what is stored with the ledger
//	report.go      the table of results
package main
