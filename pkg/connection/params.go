package connection

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/millrace/millrace/pkg/token"
)

// DefaultWorkspace is the workspace of a connection that names none.
const DefaultWorkspace = "default"

// Limits of an operator's input.
const (
	MaxNameBytes    = 200 // ids of workspaces and products too
	MaxNoteBytes    = 2000
	MinSecretLength = 8 // in characters
	MaxSalts        = 256
)

// CreateParams describes a new connection.
type CreateParams struct {
	WorkspaceID string // DefaultWorkspace if empty
	ProductID   string
	Name        string
	Note        string
	Salts       int          // partitions for the product's messages; 1 if 0
	Secret      token.Secret // shared with the sender; zero for none
	Token       token.Secret // one that the installation's key made; zero for a new one
}

// InputError is invalid input of an operator. Its text does not quote the input.
type InputError struct{ Field, Problem string }

func (e *InputError) Error() string { return "the " + e.Field + " " + e.Problem }

func (p *CreateParams) check() error {
	if p.WorkspaceID == "" {
		p.WorkspaceID = DefaultWorkspace
	}
	if p.ProductID == "" {
		return &InputError{"product id", "must not be empty"}
	}
	for _, text := range []struct {
		field, value string
		maxBytes     int
	}{
		{"workspace id", p.WorkspaceID, MaxNameBytes},
		{"product id", p.ProductID, MaxNameBytes},
		{"name", p.Name, MaxNameBytes},
		{"note", p.Note, MaxNoteBytes},
	} {
		if err := checkText(text.field, text.value, text.maxBytes); err != nil {
			return err
		}
	}
	if p.Salts == 0 {
		p.Salts = 1
	}
	if err := checkSalts(p.Salts); err != nil {
		return err
	}
	if p.Secret.IsZero() {
		return nil
	}
	return checkSecret(p.Secret.Reveal())
}

func checkSalts(n int) error {
	if n < 1 || n > MaxSalts {
		return &InputError{"number of salts", fmt.Sprintf("must be from 1 to %d", MaxSalts)}
	}
	return nil
}

func checkText(field, value string, maxBytes int) error {
	if len(value) > maxBytes {
		return &InputError{field, fmt.Sprintf("must not be longer than %d bytes", maxBytes)}
	}
	if !printable(value) {
		return &InputError{field, "must consist of printable characters"}
	}
	return nil
}

// checkSecret also ensures that the secret is a valid header value.
func checkSecret(secret string) error {
	const field = "shared secret"
	if utf8.RuneCountInString(secret) < MinSecretLength {
		return &InputError{field, fmt.Sprintf("must have at least %d characters", MinSecretLength)}
	}
	if err := checkText(field, secret, MaxSecretBytes); err != nil {
		return err
	}
	if strings.TrimSpace(secret) != secret {
		return &InputError{field, "must not begin or end with a space"}
	}
	return nil
}

func printable(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
