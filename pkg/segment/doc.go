// Package segment knows the shape of what Segment sends: how a payload is cut into messages, and which
// of them are worth keeping. It is pure: bytes in, verdicts out, nothing copied.
//
// Files, in the order data meets them:
//
//	payload.go   the three body shapes, cut into messages in one pass
//	message.go   one message's verdict: accepted, ignored by type, or invalid and why
//	repeats.go   messages that were sent twice in one payload
//	refusal.go   why a whole payload is refused
package segment
