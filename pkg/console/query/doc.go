// Package query runs the console's queries in ClickHouse. Every answer carries its SQL with the parameters filled in,
// so that a user can run the same query with any client.
//
// Files, in the order of a request:
//
//	client.go         client, filter and common parts of queries
//	ranges.go         time ranges and their steps
//	events.go         events over time, by influence
//	values.go         amounts over time, by currency
//	types.go          event types, and those without a classification
//	conversations.go  conversations and their outcomes
//	freshness.go      age of the newest event
//	connections.go    counts by connection
//	stored.go         the stored row of a message
//	latest.go         newest stored events of a connection
//	names.go          names of users, organizations and conversations
//	dead_letters.go   dead letters, by reason and one by one
//
// Charts use event_at, the time of the event in its message, as the views and docs/analytics.md do: replays, outages
// and late data do not change past days. Freshness, connections and dead letters use received_at. Consumer lag is not
// known here; it comes from Kafka.
package query
