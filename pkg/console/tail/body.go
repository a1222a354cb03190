package tail

import (
	"bytes"
	"encoding/json"
	"strings"
)

// MaxBodyShown limits, in bytes, a message's text in a list.
const MaxBodyShown = 2 << 10

// shorten truncates a message at a character boundary.
func shorten(raw []byte) (text string, cut bool) {
	if cut = len(raw) > MaxBodyShown; cut {
		raw = raw[:MaxBodyShown]
	}
	return strings.ToValidUTF8(string(raw), "\uFFFD"), cut
}

// Indent formats JSON; other text is unchanged.
func Indent(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}
