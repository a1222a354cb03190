// Package recent remembers which insert ids a lane has met lately, in about 16 bytes each.
//
// The events table absorbs a resend that has the same key. A resend of the same insert id with another
// timestamp has another key, and would be a second row: somebody has to notice it. This index does, but
// it knows ids by fingerprints only, and a fingerprint taken for another would cost an accepted event.
// So it never decides, it suspects; its user asks the warehouse about the suspects, in bulk, before one
// is dropped. Each kind of mistake is therefore harmless but one, forgetting an id too early, and that
// happens in two known ways: the bound on ids is reached (Since says how far back the index still
// reaches), or two key times share a fingerprint, which takes times at least 49 days apart.
//
// Time is the greatest received_at met, never the wall clock, so that a replay meets the same window.
// An id is remembered for the window at least and a twelfth of it longer at most; whoever verifies a
// suspect can hold both received_at against each other and so apply the window exactly.
//
// Files, in the order an id meets them:
//
//	index.go   the index: fingerprints, verdicts, figures for metrics
//	window.go  time, and the generations that are forgotten as a whole
//	shard.go   one part of the table: sorted open addressing, swept and grown on its own
package dedup
