package tail

import (
	"bytes"
	"encoding/json"
	"strings"
)

// MaxBodyShown bounds what is shown of a message in a list. All of it is a click away.
const MaxBodyShown = 2 << 10

// shorten is a message's beginning, on whole characters.
func shorten(raw []byte) (text string, cut bool) {
	if cut = len(raw) > MaxBodyShown; cut {
		raw = raw[:MaxBodyShown]
	}
	return strings.ToValidUTF8(string(raw), "\uFFFD"), cut
}

// Indent makes JSON readable; what is none stays as it is.
func Indent(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}
