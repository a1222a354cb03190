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

// Bounds of what an operator enters.
const (
	MaxNameBytes    = 200 // ids of workspaces and products too
	MaxNoteBytes    = 2000
	MinSecretLength = 8 // in characters
	MaxSalts        = 256
)

// CreateParams are the wishes for a new connection.
type CreateParams struct {
	WorkspaceID string // DefaultWorkspace if empty
	ProductID   string
	Name        string
	Note        string
	Salts       int          // partitions for the product's messages; 1 if 0
	Secret      token.Secret // shared with the sender; zero for none
	Token       token.Secret // one that the installation's key made; zero for a new one
}

// InputError is something an operator entered that will not do. Its one sentence does not quote it.
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
		most         int
	}{
		{"workspace id", p.WorkspaceID, MaxNameBytes},
		{"product id", p.ProductID, MaxNameBytes},
		{"name", p.Name, MaxNameBytes},
		{"note", p.Note, MaxNoteBytes},
	} {
		if err := checkText(text.field, text.value, text.most); err != nil {
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

func checkText(field, value string, most int) error {
	if len(value) > most {
		return &InputError{field, fmt.Sprintf("must not be longer than %d bytes", most)}
	}
	if !printable(value) {
		return &InputError{field, "must consist of printable characters"}
	}
	return nil
}

// checkSecret also sees to it that the secret survives as the value of a header.
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
