// Package loader takes records out of Kafka, maps them to events and inserts those into ClickHouse.
//
// The files, in the order in which a record meets them:
//
//	service.go            wires the loader, starts and stops it
//	reader.go             polls Kafka and distributes records to the workers of the assigned partitions
//	schedule.go           fair scheduling: which partitions are fetched while several are far behind
//	memory.go             the limit on buffered bytes
//	worker.go             one partition: a queue, a batcher and a sender
//	queue.go              fetched records, until they are mapped
//	batcher.go            a state machine that builds batches
//	batch.go              a batch: a contiguous range of offsets that is inserted and committed together
//	events.go             messages become rows of events
//	observation.go        identifies and activities become observations
//	dead_letters.go       records that cannot become rows are dead letters; dead letters become rows of dead_letters
//	sender.go             the stages of a batch, and their order: the delivery guarantee
//	duplicates.go         replays supersede stored events; duplicates with another timestamp are dropped
//	attribution.go        the loader as the host of pkg/attribution
//	insert.go             blocks are inserted; rows that ClickHouse refuses become dead letters
//	shared.go             what all of these use: configuration, clients, retries
//	lag.go                the consumer lag of a partition
//	metrics.go            counters, gauges and histograms
//	partition_metrics.go  metrics that are read from the workers
//	config.go             what an operator may set
//	control.go            protections that a chaos run's control build can leave out
package loader
