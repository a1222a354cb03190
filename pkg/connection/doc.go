// Package connection knows the connections: secret URLs that each feed one product. Their records live
// in a log that keeps the last record of each key; an edge follows it into memory and looks nothing up
// for a request, and an admin tool appends to it.
//
// What makes a revocation certain: an edge trusts its memory only while it has confirmed, within the
// last [Lease], that it had read to the end of the log. An admin call that changes a connection
// returns after the change is in the log and a lease has passed. By then every edge has either seen it
// or stopped answering.
//
// A token is proved with scrypt once. What was proved is remembered as a keyed hash that names the
// generation and the very hashes it was proved against, in the process and in Redis. So a memo that is
// out of date, or that a lying Redis made up, matches nothing, and nothing has to be invalidated.
//
// Files, in the order data meets them:
//
//	store.go          the admin's side: create and list
//	change.go         the rest of a connection's life: pause, rotate, delete and so on
//	params.go         what a new connection may look like
//	record.go         the record of a connection and its key
//	activity.go       the record of when a connection was used, and of what came of it
//	counts.go         what edges count in it, each for itself
//	log.go            what this package needs of the log
//	registry.go       the edge's side: the log in memory
//	index.go          the map in it, read without a lock
//	verifier.go       from a token to its connection
//	proof.go          the slow way: Redis, then scrypt
//	memo.go           what is remembered of proofs, good and bad
//	redis_config.go   where Redis is, and how to log in
//	redis.go          proofs shared with other edges
//	redis_checkup.go  whether that works
//	recorder.go       the activity of this edge, written to the log
//	overtaken.go      a change that is not in force, and is the last in the log
//	metrics.go        counters
package connection
