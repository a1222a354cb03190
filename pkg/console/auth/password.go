package auth

import (
	"context"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/pkg/token"
)

const (
	// minPassword is in characters. The rate limit allows 86,400 guesses a day from all addresses together.
	minPassword      = 12
	maxPasswordBytes = 1024
)

// HashPassword returns the content of a --console-password-file. The error says which rule the password breaks.
func HashPassword(password string) (string, error) {
	return hashPassword(token.DefaultCost, password)
}

func hashPassword(cost token.Cost, password string) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return "", fmt.Errorf("the password is too short: use at least %d characters", minPassword)
	case len(password) > maxPasswordBytes:
		return "", fmt.Errorf("the password is too long: use at most %d bytes", maxPasswordBytes)
	case strings.ContainsAny(password, "\r\n"):
		return "", fmt.Errorf("the password contains a line break, which no browser sends")
	}
	hash, err := cost.Hash([]byte(password))
	return hash.Reveal(), err
}

// readHash reads a password file. The error quotes none of its content, which may be a password by mistake.
func readHash(name string) (token.Secret, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return token.Secret{}, fmt.Errorf("read the password's hash: %w", err)
	}
	hash := token.NewSecret(strings.TrimSpace(string(b)))
	if err := token.CheckHash(hash); err != nil {
		return token.Secret{}, fmt.Errorf(
			"%s contains no password hash: write the output of millrace console hash-password to it (%w)",
			name,
			err,
		)
	}
	return hash, nil
}

// passwordChecker checks one password at a time: scrypt takes 32 MiB and 0.1 s of CPU time, which the edge and the
// loader may need.
type passwordChecker struct {
	file     string
	busy     chan struct{} // holds one element during a check
	onChange func()        // called when the file has a new hash
	lastHash string        // guarded by busy
}

func newPasswordChecker(file string, changed func()) *passwordChecker {
	d := &passwordChecker{file: file, busy: make(chan struct{}, 1), onChange: changed}
	if hash, err := readHash(file); err == nil {
		d.lastHash = hash.Reveal()
	}
	return d
}

// check reports whether the password is correct, and calls onSuccess if it is. onSuccess returns before another check
// can detect a changed file: onChange then also ends the session that onSuccess began.
func (d *passwordChecker) check(ctx context.Context, password string, onSuccess func()) (bool, error) {
	select {
	case d.busy <- struct{}{}:
		defer func() { <-d.busy }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	hash, err := readHash(d.file)
	if err != nil {
		return false, err
	}
	if hash.Reveal() != d.lastHash {
		d.lastHash = hash.Reveal()
		d.onChange()
	}
	ok, err := token.Verify(hash, []byte(password))
	if ok {
		onSuccess()
	}
	return ok, err
}
