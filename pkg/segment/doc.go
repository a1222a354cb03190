// Package segment knows the shape of what Segment sends: which messages of a payload are worth keeping. It
// is pure: bytes in, verdicts out, nothing copied.
//
//	message.go   one message's verdict: accepted, ignored by type, or invalid and why
package segment
