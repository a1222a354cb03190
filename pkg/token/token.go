package token

import (
	"crypto/rand"
	"crypto/subtle"
)

// Lengths in characters. The secret is 192 bits, the check 96 of the HMAC's: enough, as it can only be
// guessed at an edge, and behind it stands scrypt.
const (
	prefix       = "mr1_"
	IDLength     = 16
	secretLength = 33
	checkLength  = 17

	secretAt = len(prefix) + IDLength + 1
	checkAt  = secretAt + secretLength + 1

	// Length of every token.
	Length = checkAt + checkLength

	secretBytes = 24
	checkBytes  = 12
)

// NewConnectionID makes a random id of IDLength letters and digits. It is no secret.
func NewConnectionID() string {
	var random [secretBytes]byte
	rand.Read(random[:])
	id := make([]byte, IDLength)
	base62(id, random[:])
	return string(id)
}

// ValidConnectionID tells whether id can stand in a token.
func ValidConnectionID(id string) bool { return len(id) == IDLength && isBase62(id) }

// Mint makes a token with a random secret. The id must be valid.
func (k Key) Mint(connectionID string) Secret {
	var random [secretBytes]byte
	rand.Read(random[:])
	return k.assemble(connectionID, random[:])
}

// Derive makes the token that this key, id and label always give, for a connection whose URL can be
// shown again although nobody stored it. It is as secret as the key. The id must be valid.
func (k Key) Derive(connectionID, label string) Secret {
	sum := (*k.keys).derive.sum(0, connectionID, []byte(label))
	return k.assemble(connectionID, sum[:secretBytes])
}

func (k Key) assemble(connectionID string, secret []byte) Secret {
	if !ValidConnectionID(connectionID) {
		panic("BUG: a token for an id that is not a connection id")
	}
	text := make([]byte, Length)
	copy(text, prefix)
	copy(text[len(prefix):], connectionID)
	text[secretAt-1], text[checkAt-1] = '_', '_'
	base62(text[secretAt:checkAt-1], secret)
	check := k.checkOf(text[:checkAt-1])
	copy(text[checkAt:], check[:])
	return NewSecret(string(text))
}

// ConnectionID returns the connection id in a token that has the form of one, which aliases text. It says no more of
// it: see Parse. It allocates nothing.
func ConnectionID(text []byte) (id []byte, ok bool) {
	if len(text) != Length || string(text[:len(prefix)]) != prefix || text[secretAt-1] != '_' ||
		text[checkAt-1] != '_' {
		return nil, false
	}
	id = text[len(prefix) : secretAt-1]
	return id, isBase62(id) && isBase62(text[secretAt:checkAt-1])
}

// Parse checks a token's form and its keyed check, in constant time, and returns the connection id in
// it, which aliases text. It does not say that the token is valid, only that it was made with this
// key. It allocates nothing.
func (k Key) Parse(text []byte) (connectionID []byte, ok bool) {
	id, ok := ConnectionID(text)
	if !ok {
		return nil, false
	}
	check := k.checkOf(text[:checkAt-1])
	if subtle.ConstantTimeCompare(check[:], text[checkAt:]) != 1 {
		return nil, false
	}
	return id, true
}

func (k Key) checkOf(text []byte) (digits [checkLength]byte) {
	sum := (*k.keys).check.sum(0, "", text)
	base62(digits[:], sum[:checkBytes])
	return digits
}
