// Package native knows the shape of Millrace's own API: business events in the names that the outcomes
// have. Unlike what comes from Segment, nothing here is guessed or passed over: a field that is not what it
// has to be makes the event a broken one, and the verdict names the field. It is pure: bytes in, verdicts
// out, nothing copied.
//
// Files, in the order data meets them:
//
//	event.go   the fields of an event
//	check.go   what each field has to be
//	reason.go  the verdicts
package native
