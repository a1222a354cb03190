// Package stream is the log between the edge and the loader: Kafka's topics, what a record looks
// like, and how records are written, read and accounted for. It alone knows the Kafka client.
//
// Files, in the order data meets them:
//
//	topics.go        the three topics: their names and settings, created or checked at start
//	fitness.go       what is amiss with those that exist
//	access.go        how brokers are reached: TLS, logins, rack
//	explain.go       what to change when they are not
//	client.go        configuration, and the client options that all parts share
//	record.go        what stands in a record: key, value, headers
//	salt.go          which partition a record goes to
//	producer.go      a request's records, written together and waited for
//	compress.go      and compressed
//	wait.go          how they are waited for
//	consumer.go      a group member that reads partitions
//	commit.go        what it has done with, noted by hand and also while the group is being joined
//	confirm.go       whether partitions are still its own
//	spans.go         which offsets a time and a place in the log stand for
//	replay.go        records that are in the log are written to it once more
//	again.go         which of them, and what their copies look like
//	tail.go          the end of some partitions, for people to look at
//	log.go           a compacted topic followed from its start: the registry of connections
//	checkup.go       what the doctor asks of brokers and topics
//	checkup_group.go and of the loaders' group
package stream
