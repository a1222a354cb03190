package token

import "encoding/binary"

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// base62 fills dst with the lowest digits of number, a big-endian integer of whole 32-bit words, at
// most eight of them.
func base62(dst, number []byte) {
	var limbs [8]uint32
	words := limbs[:len(number)/4]
	for i := range words {
		words[i] = binary.BigEndian.Uint32(number[4*i:])
	}
	for i := len(dst) - 1; i >= 0; i-- {
		var rest uint64
		for j, word := range words {
			value := rest<<32 | uint64(word)
			words[j] = uint32(value / 62)
			rest = value % 62
		}
		dst[i] = alphabet[rest]
	}
}

func isBase62[T string | []byte](text T) bool {
	for i := range len(text) {
		c := text[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
