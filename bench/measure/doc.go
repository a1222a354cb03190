// Package measure runs programs as processes, measures their processor time and memory, and writes a report of medians
// with minimum and maximum, the machine and the command.
//
// Files, in the order in which a comparison uses them:
//
//	program.go      a program and its process, with all processes that it starts
//	usage.go        processor time and memory of such a tree of processes
//	broker.go       Apache Kafka on one node, or the laptop edition's broker
//	connections.go  connections, created before an edge runs
//	service.go      edge, loader, console and migrations
//	clickhouse.go   the embedded engine, and queries to it
//	rounds.go       contenders that run alternately: A B A B
//	summary.go      median, minimum and maximum of the rounds
//	machine.go      the hardware and versions
//	section.go      one comparison's section of the report
//	table.go        its tables and goals
//	svg.go          elements that both kinds of charts draw
//	barchart.go     its bar charts
//	linechart.go    its line charts
//	report.go       all sections in one file
package measure
