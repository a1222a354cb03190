// Package stream is the log between the edge and the loader: Kafka's topics, what a record looks
// like, and how records are written, read and accounted for. It alone knows the Kafka client.
//
// Files, in the order data meets them:
//
//	client.go       configuration, and the client options that all parts share
//	access.go       TLS, SASL and the rack
//	errors.go       what to change when a broker refuses
//	topics.go       the three topics: names and settings; created or checked at start
//	validate.go     validation of the topics that exist
//	record.go       the format of a record: key, value, headers
//	salt.go         the partitioner: partition of the key plus salt
//	producer.go     the records of one request, written and acknowledged together
//	wait.go         waiting for the acknowledgements
//	compress.go     compression
//	consumer.go     a member of a consumer group
//	unpack.go       the bytes that it unpacks before they are polled are bounded
//	partition.go    a partition's name, and a key's partition
//	commit.go       commits, also during a rebalance
//	ownership.go    asks the group whether partitions are still this member's
//	offsets.go      from times and positions to offset ranges
//	replay.go       writes records of the log once more
//	selection.go    which records a replay selects, and what their copies look like
//	tail.go         the end of some partitions, for the console
//	read_record.go  one record by its offset
//	compacted.go    a compacted topic followed from its start: the registry of connections
//	doctor.go       doctor checks of brokers and topics
//	doctor_group.go doctor checks of the loaders' group
package stream
