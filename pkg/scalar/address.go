package scalar

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// MaxAddressBytes is the length of the longest address that mail can be sent to (RFC 5321).
const MaxAddressBytes = 254

// LooksLikeAddress asks for one @ with something on both sides and no spaces. More is the mail server's
// to say.
func LooksLikeAddress(text []byte) bool {
	at := bytes.IndexByte(text, '@')
	if at <= 0 || at == len(text)-1 || len(text) > MaxAddressBytes {
		return false
	}
	ascii := true
	for i, c := range text {
		if c <= ' ' || c == 0x7f || c == '@' && i != at {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || bytes.IndexFunc(text, notInAddress) < 0
}

func notInAddress(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
