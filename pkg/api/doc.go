// Package api checks the messages of Millrace's own API: events, identify calls and activities of conversations. Field
// names are those of the outcomes. Unlike Segment's messages, nothing is guessed or ignored: a field of the wrong type
// makes the message a broken one, and the verdict names the field. The package is pure: bytes in, verdicts out, nothing
// copied.
//
// Files, in the order data meets them:
//
//	fields.go    the fields that all messages have, and their checks
//	event.go     the fields of an event
//	check.go     the checks of an event
//	identify.go  an identify call
//	activity.go  an activity of a conversation
//	reason.go    the formats and their verdicts
package api
