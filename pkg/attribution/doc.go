// Package attribution resolves the users, organizations and conversations of events, and revises stored rows when these
// change. The rules are in pkg/identity. This package runs them on ClickHouse.
//
// A partition worker passes a batch to Resolve. Resolve adds the batch's external ids and addresses to the identity
// cache, looks up those that the cache lacks, observes all claims of the batch, writes the new ones to ClickHouse,
// and fills in the resolved ids. The worker inserts the events and calls Complete. A claim that may change the user
// of stored rows is an identity change; an activity may change the conversations of stored events. Changes wait in a
// queue for each workspace. A background pass takes the changes of many workspaces, waits for the batches in
// progress, reads the rows that may be affected, resolves them again, and writes those that differ with a higher
// version. Changes of other loaders are pulled from ClickHouse in the order of their written_at, up to a safe time
// before which all rows are visible. The progress of each partition is stored, so that its next owner replays later
// changes.
//
// The files, in the order in which a batch meets them:
//
//   - config.go: configuration, and the host's interface
//   - service.go: construction, partitions, and the background loops
//   - metrics.go: metrics
//   - preload.go: loads all claims into the cache at the start
//   - observation.go: an identify or an activity
//   - resolve.go: the steps of a batch
//   - products.go: the products of a partition, and which of them have activities
//   - conversations.go: the conversations of events
//   - changes.go: identity changes
//   - pull.go: pulls the changes of other loaders, and replays those of previous owners
//   - queue.go: the changes of each workspace, and its failures
//   - revise.go: applies changes to stored rows
//   - fencing.go: which rows this loader may revise
//
// # Fencing
//
// A loader may lose a partition without knowing, and write a decision based on older claims than the next owner has. A
// revision therefore goes through these states:
//
//	state      what happens                                       on failure
//	leased     ClickHouse's clock is read: the lease starts       the pass fails and is repeated
//	confirmed  the group confirms the membership. A later owner   fenced: nothing is written, the membership ends
//	           is assigned the partition after the lease started
//	revising   the insert starts before the lease ends            expired: ClickHouse refuses it, the pass is repeated
//	done       the rows are visible
//
// The next owner goes through these states after an assignment:
//
//	waiting    a lease that started before the assignment may be active, or its revision may still run
//	replaying  all changes are pulled from all writers, from the stored progress up to the end of waiting
//	owning     only changes of other writers are pulled
//
// So a late revision of a previous owner is followed by a replay of the changes that it did not know.
package attribution
