// Package segment checks the shape of Segment's messages: which messages of a payload are stored. It is pure: bytes in,
// verdicts out, nothing copied.
//
//	message.go   one message's verdict: accepted, ignored by type, or invalid and why
package segment
