// Package dedup remembers the insert ids of recent events, in about 16 bytes each, to detect duplicates with a
// different timestamp.
//
// The events table merges duplicates with the same sorting key. A duplicate with another timestamp has another key, and
// would be a second row. The index finds such duplicates. It stores fingerprints only, and a wrong match would drop an
// accepted event. So the index only suspects duplicates: its caller looks the suspects up in ClickHouse, in bulk,
// before it drops a row. One kind of error remains: a duplicate that is not found. It has two known causes: the limit
// on ids is reached (Since says how far back the index reaches), or two key times share a fingerprint, which needs
// times at least 49 days apart.
//
// Time is the greatest received_at so far, never the wall clock, so that a replay has the same window. An id is
// remembered for the window, and for at most a twelfth of the window longer. A caller that looks a suspect up can
// compare both values of received_at, and so apply the window exactly.
//
// Files, in the order in which an id meets them:
//
//	index.go   the index: fingerprints, results, figures for metrics
//	window.go  time, and generations of ids that are dropped together
//	shard.go   a part of the table: sorted open addressing; each part is swept and grown alone
package dedup
