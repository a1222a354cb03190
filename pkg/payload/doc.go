// Package payload splits request bodies of all endpoints into messages: a body is one object, a batch of objects or an
// array. The endpoint's Format decides for each message whether it is accepted. The package is pure: bytes in, verdicts
// out, nothing copied.
//
// Files, in the order data meets them:
//
//	format.go      what an endpoint accepts, and the verdicts on messages
//	payload.go     the three body shapes, split into messages in one pass
//	duplicates.go  messages with the same id in one payload
//	refusal.go     why a whole payload is refused
package payload
