// Package baselines runs the programs that Millrace is compared with, each with the best settings that were found. What
// a baseline needs comes from a registry, in pinned versions. A baseline whose runtime this machine lacks does not take
// part.
//
// Files:
//
//	baseline.go     the description of a baseline, and its download
//	edges.go        programs that take HTTP and write to Kafka
//	bareedge/       fasthttp, go-json and franz-go with nothing else: the limit
//	camel/          Apache Camel: platform-http to kafka
//	fastify/        fastify with kafkajs, as many teams write it themselves
//	loaders.go      programs that load Kafka's topic into ClickHouse
//	bareloader/     blocks that exist before the measurement, and are sent: the limit
//	kafkaengine.go  ClickHouse's own Kafka engine
//	mapping.go      the mapping in SQL, in mapping.sql, for baselines that map in ClickHouse
//	script.go       a script in Python, in script/, as many teams write it themselves
//	seatunnel.go    Apache SeaTunnel, with its settings in seatunnel/
package baselines
