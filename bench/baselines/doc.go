// Package rivals has what Millrace is measured beside, each with the best settings that were found for it. What a rival
// needs comes from a registry, in pinned versions; where the machine lacks what runs it, it says so and is left out.
//
// Files:
//
//	rival.go      what every rival says of itself
//	edges.go      those that take HTTP and write to Kafka
//	bareedge/     fasthttp, go-json and franz-go with nothing else: the limit
//	camel/        Apache Camel: platform-http to kafka
//	fastify/      fastify with kafkajs, as many would write it themselves
//	loaders.go    those that take Kafka's topic into ClickHouse
//	bareloader/   blocks made beforehand and sent: the limit
//	kafkaengine.go ClickHouse's own Kafka engine
//	mapping.go    the mapping in SQL, in mapping.sql, for who leaves it to ClickHouse
//	script.go     a script in Python, in script/, as many would write it themselves
//	seatunnel.go  Apache SeaTunnel, set up in seatunnel/
package baselines
