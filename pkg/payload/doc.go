// Package payload knows what all bodies have in common, whatever is in them: one object, a batch of them
// or an array. It cuts a body into its elements and has each judged by the format that the endpoint
// takes. It is pure: bytes in, verdicts out, nothing copied.
//
// Files, in the order data meets them:
//
//	format.go    what an endpoint says of its elements, and the verdicts on them
//	payload.go   the three body shapes, cut into elements in one pass
//	repeats.go   elements that are twice in one payload
//	refusal.go   why a whole payload is refused
package payload
