// Package rawjson reads JSON where it lies, without decoding it into Go values.
//
// Both ends of the pipeline need a few fields of a message and all of its bytes unchanged, so this
// package answers with sub-slices of what it was given. Three things the usual decoders do not do
// for us:
//
//   - names are compared exactly: a struct decoder takes "USERID" for "userId";
//   - nesting is capped while reading, not after, so that a hostile body costs nothing;
//   - validity, depth and the cut into messages are one pass.
//
// Files, in the order data meets them:
//
//	scan.go    the grammar of RFC 8259: checks a value and says where it ends
//	string.go  the inside of string literals: the fast scan, and unquoting
//	walk.go    members of objects, elements of arrays, kinds of values
package rawjson
