// Package insight is what the console asks ClickHouse: of all that has been stored, what came of it. Every answer carries its SQL,
// with what was asked for filled in, so that whoever looks at a plot can ask the same with any client.
//
// Files, in the order a question meets them:
//
//	insight.go        who asks, and of which product
//	ranges.go         from when until when, and in what steps
//	events.go         events over time, by influence
//	values.go         amounts over time, by currency
//	types.go          which types there are, and which nobody has classified
//	conversations.go  conversations, and what they led to
//	freshness.go      how fresh is what can be seen
//	connections.go    what each connection has sent of late
//	stored.go         what a message that was just seen has become
//	recent.go         what was stored of a connection of late
//	names.go          and whom and what that is about, by name
//	letters.go        dead letters by reason, and one by one
//
// Time is event_at, when something happened by the message's own word: that is what the views and docs/analytics.md count days
// by, and a replay, an outage or a batch that comes late does not move what is past. Freshness, connections and dead letters are
// about what arrives, and go by received_at. How far the loader is behind is not known here: Kafka says so.
package query
