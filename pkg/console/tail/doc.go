// Package live is what the console shows of a connection while messages arrive: each beside what it became. It reads the end of the
// log, maps what it finds as a loader does, and samples: looking costs the same at ten messages a second and at ten thousand.
//
// Files, in the order data meets them:
//
//	watch.go    which records are looked at, and how many are shown
//	message.go  a record becomes what a person reads
//	filter.go   which of them somebody asked for
//	body.go     a message's own text, readable
package tail
