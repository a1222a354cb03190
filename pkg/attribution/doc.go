// Package attribution resolves the users, organizations and conversations of events, and revises stored rows when these
// change. The rules are in pkg/identity. This package runs them on ClickHouse.
//
// A partition worker passes a batch to Resolve. Resolve adds the batch's external ids and addresses to the identity
// cache, looks up those that the cache lacks, observes all claims of the batch, writes the new ones to ClickHouse,
// and fills in the resolved ids. The worker inserts the events and calls Complete. A claim that may change the user
// of stored rows is an identity change; an activity may change the conversations of stored events. Changes wait in a
// queue for each workspace. A background pass takes the changes of many workspaces, waits for the batches in
// progress, reads the rows that may be affected, resolves them again, and writes those that differ with a higher
// version. Changes of other loaders are pulled from ClickHouse in the order of their written_at, up to a watermark
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
//
// # Written times
//
// ClickHouse merges the rows of a claim by the same writer, and keeps their greatest written_at. It keeps the last
// version of an activity, with its written_at. So a row may leave a range of written_at while the range is read. These
// invariants hold for every snapshot:
//
//   - The written_at of a claim never decreases. An activity may also give way to an older row with a higher version,
//     which says the same. The sorting key of a row never changes.
//   - A row has the time of the start of its insert, and is visible at the end. An insert in progress holds the
//     watermark, however long it takes. Changes are pulled up to the watermark.
//   - Pulled changes are read in the order of written_at, from the end of what was read before. A row that moves, moves
//     ahead of this position, and is read later.
//   - Only rows of the current writer are not pulled. Their changes were queued by this process when they were written.
//     A process becomes a new writer before it replays: the rows of its earlier writers do not move any more.
//   - A reread of dropped changes reads pages in the order of the sorting key, and all rows written since a time,
//     without an upper bound. So it finds each row that was visible when it began.
package attribution
