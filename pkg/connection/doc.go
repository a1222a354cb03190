// Package connection holds the connections: secret URLs that each feed one product. Their records live in a compacted
// Kafka topic. An edge follows the topic into memory, so a request needs no look-up; admin tools append to it.
//
// Revocation is guaranteed by a lease: an edge trusts its memory only if it has confirmed within the last [Lease] that
// it had read to the end of the topic. A command that changes a connection returns when its record is written and a
// lease has passed. By then every edge has applied the record or has stopped accepting.
//
// A token is proved with scrypt once. The proof is cached, in the process and in Redis, as a keyed hash over the
// connection's generation and the stored hashes. An outdated or forged cache entry therefore matches nothing, and the
// cache needs no invalidation.
//
// Files, in the order data meets them:
//
//	store.go          the admin's side: create and list
//	change.go         pause, rotate, delete and other changes
//	params.go         limits of a new connection
//	record.go         the record of a connection and its key
//	activity.go       the record of a connection's use
//	counts.go         counters in it, one tally per edge
//	log.go            the topic, as this package needs it
//	registry.go       the edge's side: the topic in memory
//	index.go          its map, read without a lock
//	verifier.go       from a token to its connection
//	proof.go          proving a token: Redis, then scrypt
//	proof_cache.go    proofs and rejections in memory
//	redis_config.go   address and login of Redis
//	redis.go          proofs shared through Redis
//	redis_doctor.go   the doctor's check of Redis
//	recorder.go       writes the activity of this edge
//	superseded.go     repairs a superseded record at the end of the topic
//	metrics.go        metrics
package connection
