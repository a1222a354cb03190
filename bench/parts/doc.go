// Package parts runs what comparisons need: a broker, ClickHouse, and Millrace's own binaries, each as a process of its
// own whose processor time and memory can be told apart.
//
// Files, in the order in which an event meets them:
//
//	broker.go       Apache Kafka, one node, or the broker of the laptop edition
//	registry.go     connections, made before there is an edge
//	millrace.go     edge, loader and migrations
//	clickhouse.go   the embedded engine, and questions to it
package parts
