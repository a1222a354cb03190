package token

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// MinKeyBytes is how much key material there must be.
const MinKeyBytes = 32

// Key is the secret of one installation: its edges and its tools share it. Whoever has it can mint
// tokens that reach the scrypt stage, but none that passes it. The zero Key has no methods that work:
// get one from NewKey or ParseKey.
type Key struct {
	redacted
	keys **keys // see redacted for why it is two pointers
}

// keys are derived for one purpose each, so that no output for one can be used as another.
type keys struct {
	material []byte
	check    macKey
	derive   macKey
	memo     macKey
}

// NewKey makes a random key.
func NewKey() Key {
	material := make([]byte, MinKeyBytes)
	rand.Read(material) // never fails: it ends the process instead
	key, err := newKey(material)
	if err != nil {
		panic("BUG: a random key: " + err.Error())
	}
	return key
}

// ParseKey reads what Text wrote or what an operator made, say with "openssl rand -base64 32":
// base64 in either alphabet, padded or not, or hex. The errors do not quote the text.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Key{}, errors.New(
			"the key is empty: make one with \"openssl rand -base64 32\", and give every edge and command the same",
		)
	}
	material, err := decodeKey(text)
	if err != nil {
		return Key{}, err
	}
	if len(material) < MinKeyBytes {
		return Key{}, fmt.Errorf("the key has %d bytes, at least %d are needed", len(material), MinKeyBytes)
	}
	return newKey(material)
}

// decodeKey tries hex first: all of its digits are base64 too, but 32 random bytes in base64 are
// all hex digits once in 10^25 times.
func decodeKey(text string) ([]byte, error) {
	material, err := hex.DecodeString(text)
	if err == nil {
		return material, nil
	}
	if errors.Is(err, hex.ErrLength) { // as base64 it would pass for another key
		return nil, errors.New("the key is hex with an odd number of digits")
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	material, err = base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the key is neither base64 nor hex")
	}
	return material, nil
}

func newKey(material []byte) (Key, error) {
	k := &keys{material: material}
	for purpose, sub := range map[string]*macKey{"check": &k.check, "derive": &k.derive, "memo": &k.memo} {
		b, err := hkdf.Key(sha256.New, material, nil, "millrace token v1: "+purpose, sha256.Size)
		if err != nil {
			return Key{}, fmt.Errorf("deriving from the key: %w", err)
		}
		sub.init(b)
	}
	return Key{keys: &k}, nil
}

// Text is the key in URL-safe base64, for the file it is kept in.
func (k Key) Text() string { return base64.RawURLEncoding.EncodeToString((*k.keys).material) }

// IsZero tells whether this is the zero Key.
func (k Key) IsZero() bool { return k.keys == nil }

// ProofMAC returns a keyed hash that proves that the parts were valid for a generation of a connection. It is useless
// without the key, so it may be stored where others can read and write. Moving a byte from one part to the next changes
// the hash. It allocates nothing.
func (k Key) ProofMAC(connectionID string, generation uint64, parts ...[]byte) [32]byte {
	return (*k.keys).memo.sum(generation, connectionID, parts...)
}

// Fingerprint is the same for the same key, and tells nothing else of it: people compare machines by it.
func (k Key) Fingerprint() string {
	b, err := hkdf.Key(sha256.New, (*k.keys).material, nil, "millrace token v1: fingerprint", 4)
	if err != nil {
		panic("BUG: a fingerprint: " + err.Error())
	}
	return hex.EncodeToString(b)
}

// leastDistinct is what 32 random bytes fall below less often than once in 10^12 times.
const leastDistinct = 20

// LooksRandom is false for a key that was typed, or made of a pattern.
func (k Key) LooksRandom() bool {
	distinct := map[byte]bool{}
	for _, b := range (*k.keys).material {
		distinct[b] = true
	}
	return len(distinct) >= leastDistinct
}
