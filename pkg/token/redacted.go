package token

import "log/slog"

const redaction = "[redacted]"

// redacted is embedded by types that must not print what they hold. They also keep it behind a pointer
// to a text or to a pointer: fmt does not call methods on unexported fields, and prints an address for
// those, but follows a pointer to a struct when the verb does not suit it.
type redacted struct{}

func (redacted) String() string               { return redaction }
func (redacted) GoString() string             { return redaction }
func (redacted) LogValue() slog.Value         { return slog.StringValue(redaction) }
func (redacted) MarshalText() ([]byte, error) { return []byte(redaction), nil }

// Secret is a text that does not print itself, whatever it is part of: a token, a shared secret or a
// hash of one. The zero value holds nothing. Comparing two with == does not compare their texts.
type Secret struct {
	redacted
	text *string
}

// NewSecret keeps text; an empty one is the zero Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text. Whoever calls it answers for where the text goes.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero tells whether there is no text.
func (s Secret) IsZero() bool { return s.text == nil }
