// Package token makes and checks the secret part of a connection's URL, and hashes what must be stored
// of it. It is pure: no clock, no network, no state.
//
// A token reads mr1_<connection id>_<secret>_<check>. The secret has 192 random bits. The check is a
// keyed hash over everything before it, so that a guessed or mangled token is refused in a
// microsecond, before anything is looked up and long before scrypt runs.
//
// Nothing in this package prints what it keeps: a [Key] or a [Secret] in a log line, an error or a
// JSON document shows as "[redacted]".
//
// Files, in the order data meets them:
//
//	redacted.go  texts that never print themselves
//	key.go       the installation's key and what is derived from it
//	mac.go       HMAC-SHA256 without an allocation
//	base62.go    the alphabet of tokens
//	token.go     minting, deriving and parsing
//	hash.go      scrypt: what is stored of a token or a shared secret
package token
