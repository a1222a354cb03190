package token

import (
	"crypto/sha256"
	"encoding/binary"
)

// macKey is an HMAC-SHA256 key (RFC 2104) with its two pads ready. crypto/hmac allocates six times per
// sum and takes more than twice as long.
type macKey struct{ inner, outer [sha256.BlockSize]byte }

// init takes a key of at most one block.
func (k *macKey) init(key []byte) {
	for i := range k.inner {
		k.inner[i], k.outer[i] = 0x36, 0x5c
	}
	for i, b := range key {
		k.inner[i] ^= b
		k.outer[i] ^= b
	}
}

// sum covers the number, and the texts each behind its length, so that no byte can move from one to
// the next unnoticed. The hash must not leave this function, or it is allocated.
func (k *macKey) sum(number uint64, id string, parts ...[]byte) (out [sha256.Size]byte) {
	h := sha256.New()
	h.Write(k.inner[:])
	var word [8]byte
	binary.BigEndian.PutUint64(word[:], number)
	h.Write(word[:])
	binary.BigEndian.PutUint64(word[:], uint64(len(id)))
	h.Write(word[:])
	h.Write([]byte(id))
	for _, part := range parts {
		binary.BigEndian.PutUint64(word[:], uint64(len(part)))
		h.Write(word[:])
		h.Write(part)
	}
	h.Sum(out[:0])
	h.Reset()
	h.Write(k.outer[:])
	h.Write(out[:])
	h.Sum(out[:0])
	return out
}
