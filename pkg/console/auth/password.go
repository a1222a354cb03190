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
	// minPassword is in characters. The limits of logins leave 86,400 guesses a day to all strangers together.
	minPassword      = 12
	maxPasswordBytes = 1024
)

// HashPassword makes what belongs into --console-password-file.
func HashPassword(password string) (string, error) {
	return hashPassword(token.DefaultCost, password)
}

func hashPassword(cost token.Cost, password string) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return "", fmt.Errorf("the password is too short: take at least %d characters", minPassword)
	case len(password) > maxPasswordBytes:
		return "", fmt.Errorf("the password is too long: take at most %d bytes", maxPasswordBytes)
	case strings.ContainsAny(password, "\r\n"):
		return "", fmt.Errorf("the password must not have a line break in it: no browser would send it")
	}
	hash, err := cost.Hash([]byte(password))
	return hash.Reveal(), err
}

// readHash reads a password's file. The error quotes nothing of what the file holds, which may be a password by mistake.
func readHash(name string) (token.Secret, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return token.Secret{}, fmt.Errorf("the password's hash cannot be read: %w", err)
	}
	hash := token.NewSecret(strings.TrimSpace(string(b)))
	if err := token.CheckHash(hash); err != nil {
		return token.Secret{}, fmt.Errorf("%s holds no hash of a password: write there what millrace console hash-password says (%w)", name, err)
	}
	return hash, nil
}

// passwordChecker lets in who knows the password, one after the other: a run of scrypt takes 32 MiB and a tenth of a second of a processor
// that edge and loader may need.
type passwordChecker struct {
	file     string
	busy     chan struct{} // who stands at the door has put something in
	onChange func()        // is called when the file holds another hash than before
	lastHash string        // belongs to who stands at the door
}

func newPasswordChecker(file string, changed func()) *passwordChecker {
	d := &passwordChecker{file: file, busy: make(chan struct{}, 1), onChange: changed}
	if hash, err := readHash(file); err == nil {
		d.lastHash = hash.Reveal()
	}
	return d
}

// check runs in if password is right, and tells whether it was. in runs before anybody else can find that the file has changed:
// what it begins is ended then, however the two meet.
func (d *passwordChecker) check(ctx context.Context, password string, in func()) (bool, error) {
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
		in()
	}
	return ok, err
}
