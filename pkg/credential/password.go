package credential

import (
	"fmt"
	"os"
	"strings"
)

// Password is a password, or the file that holds it. Its fields are flags, under a prefix such as "kafka-".
type Password struct {
	Password     string `help:"Password. Prefer a variable or a file: process lists show flags." placeholder:"TEXT"`
	PasswordFile string `help:"File with the password; a changed file is used by the next connection." placeholder:"FILE"`
}

// Check checks what can be checked without asking a server. prefix is that of the flags.
func (p *Password) Check(prefix string) error {
	if p.Password != "" && p.PasswordFile != "" {
		return fmt.Errorf("--%[1]spassword and --%[1]spassword-file are both set: leave one of them out", prefix)
	}
	if _, err := p.Read(); err != nil {
		return fmt.Errorf("--%spassword-file: %w", prefix, err)
	}
	return nil
}

// IsZero tells whether there is none.
func (p *Password) IsZero() bool { return p.Password == "" && p.PasswordFile == "" }

// Read returns the password.
func (p *Password) Read() (string, error) {
	if p.PasswordFile == "" {
		return p.Password, nil
	}
	return readFile(p.PasswordFile, "password")
}

// readFile reads a file that holds a secret of that kind. A line break at the file's end, as editors leave it, is not
// part of it. The error quotes nothing of what the file holds.
func readFile(name, what string) (string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("the %s cannot be read: %w", what, err)
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return "", fmt.Errorf("%s holds no %s: write it there", name, what)
	}
	return text, nil
}
