package token

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/scrypt"
)

const (
	saltBytes = 16
	sumBytes  = 32

	maxHashText = 256
	maxLogN     = 24
	maxR        = 64
	maxP        = 64
	// maxWork bounds N·r·p at 16 times the default, which is 512 MiB or about two seconds, so that a
	// forged record cannot have an edge run out of memory or time.
	maxWork = 1 << 22
)

var errHash = errors.New("not a scrypt hash, or one beyond the allowed cost")

// Cost is scrypt's: 2^LogN rounds over blocks of R, P times. It takes 128·2^LogN·R bytes.
type Cost struct{ LogN, R, P int }

// DefaultCost takes 32 MiB and about a tenth of a second.
var DefaultCost = Cost{LogN: 15, R: 8, P: 1}

func (c Cost) valid() bool {
	return c.LogN >= 1 && c.LogN <= maxLogN && c.R >= 1 && c.R <= maxR && c.P >= 1 && c.P <= maxP &&
		c.R*c.P<<c.LogN <= maxWork
}

func (c Cost) String() string { return fmt.Sprintf("ln=%d,r=%d,p=%d", c.LogN, c.R, c.P) }

// Hash hashes text with a random salt into $scrypt$ln=15,r=8,p=1$salt$hash. The cost is part of it, so
// that old hashes stay readable when the default grows.
func (c Cost) Hash(text []byte) (Secret, error) {
	if !c.valid() {
		return Secret{}, fmt.Errorf("scrypt cost %s is out of bounds", c)
	}
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	sum, err := c.sum(text, salt)
	if err != nil {
		return Secret{}, err
	}
	b64 := base64.RawStdEncoding
	return NewSecret("$scrypt$" + c.String() + "$" + b64.EncodeToString(salt) + "$" + b64.EncodeToString(sum)), nil
}

// Verify tells, in constant time, whether hash was made of text. The error is about the hash alone.
func Verify(hash Secret, text []byte) (bool, error) {
	cost, salt, want, err := parseHash(hash.Reveal())
	if err != nil {
		return false, err
	}
	got, err := cost.sum(text, salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// CheckHash tells whether Verify can use hash.
func CheckHash(hash Secret) error {
	_, _, _, err := parseHash(hash.Reveal())
	return err
}

func (c Cost) sum(text, salt []byte) ([]byte, error) {
	sum, err := scrypt.Key(text, salt, 1<<c.LogN, c.R, c.P, sumBytes)
	if err != nil {
		return nil, fmt.Errorf("scrypt with %s: %w", c, err)
	}
	return sum, nil
}

func parseHash(text string) (cost Cost, salt, sum []byte, err error) {
	if len(text) > maxHashText {
		return cost, nil, nil, errHash
	}
	parts := strings.Split(text, "$")
	if len(parts) != 5 || parts[0] != "" || parts[1] != "scrypt" || strings.ContainsAny(text, "\r\n") {
		return cost, nil, nil, errHash // base64 skips line ends, so one hash would have many texts
	}
	_, err = fmt.Sscanf(parts[2], "ln=%d,r=%d,p=%d", &cost.LogN, &cost.R, &cost.P)
	if err != nil || cost.String() != parts[2] || !cost.valid() { // Sscanf takes "+15" and what follows
		return cost, nil, nil, errHash
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[3])
	sum, sumErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	if saltErr != nil || sumErr != nil || len(salt) != saltBytes || len(sum) != sumBytes {
		return cost, nil, nil, errHash
	}
	return cost, salt, sum, nil
}
