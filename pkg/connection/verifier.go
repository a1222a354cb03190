package connection

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/millrace/millrace/pkg/token"
)

// Errors of Verify. ErrInvalid is the same whatever was wrong, so that an answer gives nothing away.
var (
	ErrInvalid     = errors.New("the token or the shared secret is not valid")
	ErrUnavailable = errors.New("the token cannot be checked now")
)

// MaxSecretBytes bounds a shared secret.
const MaxSecretBytes = 256

// Verifier finds the connection that a token stands for. It is safe for concurrent use.
type Verifier struct {
	key      token.Key
	registry *Registry
	shared   MemoStore
	metrics  *Metrics
	refused  refused
	hashers  *semaphore.Weighted
}

// VerifierConfig is what a Verifier is made of.
type VerifierConfig struct {
	Key      token.Key
	Registry *Registry
	Metrics  *Metrics
	Memos    MemoStore // shared with other processes; nil for none
	Hashers  int       // runs of scrypt at a time, 32 MiB each; DefaultHashers if 0
}

// DefaultHashers leaves half of the cores to senders whose tokens are known, while those of a whole
// fleet are proved after a start with an empty memo.
func DefaultHashers() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// NewVerifier returns a Verifier with nothing remembered.
func NewVerifier(config VerifierConfig) *Verifier {
	if config.Hashers == 0 {
		config.Hashers = DefaultHashers()
	}
	return &Verifier{
		key:      config.Key,
		registry: config.Registry,
		shared:   config.Memos,
		metrics:  config.Metrics,
		hashers:  semaphore.NewWeighted(int64(config.Hashers)),
	}
}

// claim is a token, and a secret if the connection has one, presented for one version of it.
type claim struct {
	state  *state
	token  []byte
	secret []byte   // nil if the connection has none, whatever the sender sent
	mac    [32]byte // stands for all of the above
}

// Verify returns the connection of the token, whatever its State. The order of the checks is the
// public contract's: a token that fails its own check is ErrInvalid even while the registry cannot be
// trusted, and nothing is said about any connection while it cannot. Both errors may come wrapped.
//
// A token that was proved before costs one HMAC and a look into a map: no lock, no allocation. Neither
// slice is kept.
func (v *Verifier) Verify(ctx context.Context, text, secret []byte) (*Connection, error) {
	if c := v.proved(text, secret); c != nil {
		return c, nil
	}
	id, ok := v.key.Parse(text)
	if !ok {
		return nil, ErrInvalid
	}
	if !v.registry.Fresh(time.Now()) {
		return nil, ErrUnavailable
	}
	e := get(&v.registry.index, id)
	if e == nil {
		return nil, ErrInvalid
	}
	c, ok := v.claim(e.state.Load(), text, secret)
	if !ok {
		return nil, ErrInvalid
	}
	valid, known := v.recall(e, c)
	if !known {
		var err error
		if valid, err = v.prove(ctx, e, c); err != nil {
			return nil, err
		}
	}
	if !valid {
		return nil, ErrInvalid
	}
	return c.state.connection, nil
}

// proved returns the connection of a token that was proved before, or nil. It has passed its own check then, so that need
// not be made again, which saves a good twentieth of what a single message costs.
func (v *Verifier) proved(text, secret []byte) *Connection {
	id, ok := token.ConnectionID(text)
	if !ok || !v.registry.Fresh(time.Now()) {
		return nil
	}
	e := get(&v.registry.index, id)
	if e == nil {
		return nil
	}
	c, ok := v.claim(e.state.Load(), text, secret)
	if m := e.memo.Load(); !ok || m == nil || !m.matches(c) {
		return nil
	}
	v.metrics.hitProcess.Inc()
	return c.state.connection
}

// claim refuses what needs no proof to be wrong.
func (v *Verifier) claim(s *state, text, secret []byte) (claim, bool) {
	if s == nil {
		return claim{}, false
	}
	c := claim{state: s, token: text}
	id, generation := s.connection.ID, s.connection.Generation
	if s.connection.SecretHash.IsZero() {
		c.mac = v.key.Memo(id, generation, s.hashes[:], text)
		return c, true
	}
	if len(secret) == 0 || len(secret) > MaxSecretBytes {
		return claim{}, false
	}
	c.secret = secret
	c.mac = v.key.Memo(id, generation, s.hashes[:], text, secret)
	return c, true
}

// recall answers from this process's memory.
func (v *Verifier) recall(e *entry, c claim) (valid, known bool) {
	if m := e.memo.Load(); m != nil && m.matches(c) {
		v.metrics.hitProcess.Inc()
		return true, true
	}
	if v.refused.has(c) {
		v.metrics.hitRefused.Inc()
		return false, true
	}
	return false, false
}

// Confirm is for the end of a request that took its time: it returns the connection as it is now, or
// ErrInvalid if its token or secret has been changed since Verify returned c, or it was deleted.
func (v *Verifier) Confirm(c *Connection) (*Connection, error) {
	if !v.registry.Fresh(time.Now()) {
		return nil, ErrUnavailable
	}
	e := get(&v.registry.index, c.ID)
	if e == nil {
		return nil, ErrInvalid
	}
	s := e.state.Load()
	if s == nil || s.connection != c && s.hashes != newState(c).hashes {
		return nil, ErrInvalid
	}
	return s.connection, nil
}
