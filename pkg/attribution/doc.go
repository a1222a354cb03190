// Package attribution finds out whom events are about, and keeps that up to date in stored rows. The rules are
// pkg/identity's; this is what runs them: a batch's look-ups and writes, and the work that follows from identity changes.
//
//   - config.go: what the host decides, and what it is asked for
//   - service.go: construct, start, partitions; the loops in the background
//   - observation.go: what an identify or an activity says
//   - resolve.go: a batch's way: look up, learn, write down, resolve
//   - conversations.go: the conversations of events
//   - products.go: the products that a partition has seen
//   - changes.go: what may make stored rows be about somebody else
//   - preload.go: all that is known, when a loader starts
//   - pull.go: changes by other loaders, and by earlier owners of the partitions
//   - queue.go: what waits to be worked in, by workspace
//   - revise.go: works it into stored rows
//   - fencing.go: which of them are this loader's to revise
//   - metrics.go: what is counted
package attribution
