// Package native knows the shape of Millrace's own API: business events, who a user is, and what happens in
// conversations, in the names that the outcomes have. Unlike what comes from Segment, nothing here is
// guessed or passed over: a field that is not what it has to be makes the message a broken one, and the
// verdict names the field. It is pure: bytes in, verdicts out, nothing copied.
//
// Files, in the order data meets them:
//
//	subject.go   what all messages may say, and what those fields have to be
//	event.go     the fields of an event
//	check.go     what each of them has to be
//	identify.go  what an identify call says
//	activity.go  what an activity of a conversation says
//	reason.go    the formats and their verdicts
package api
