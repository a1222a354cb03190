// Package tail reads the newest messages of a connection from the end of the log, for a page that shows them as they
// arrive. It maps each message as a loader does. It samples a busy log, so its cost does not grow with the rate.
//
// Files, in the order data meets them:
//
//	follower.go  which records are read and how many messages are shown
//	message.go   a record in readable form
//	filter.go    which messages are shown
//	body.go      the message's text
package tail
