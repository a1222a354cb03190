package connection

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/millrace/millrace/pkg/token"
)

// Errors of Verify. ErrInvalid does not tell what was wrong.
var (
	ErrInvalid     = errors.New("the token or the shared secret is not valid")
	ErrUnavailable = errors.New("the token cannot be checked now")
)

// MaxSecretBytes bounds a shared secret.
const MaxSecretBytes = 256

// Verifier finds the connection of a token. It is safe for concurrent use.
type Verifier struct {
	key      token.Key
	registry *Registry
	shared   ProofCache
	metrics  *Metrics
	rejected rejections
	hashers  *semaphore.Weighted
}

// VerifierConfig configures a Verifier.
type VerifierConfig struct {
	Key      token.Key
	Registry *Registry
	Metrics  *Metrics
	Proofs   ProofCache // shared with other processes; nil for none
	Hashers  int        // concurrent runs of scrypt, 32 MiB each; DefaultHashers if 0
}

// DefaultHashers is half of the processors: the rest serves senders whose tokens are proved while an edge with an empty
// cache proves all others.
func DefaultHashers() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// NewVerifier returns a Verifier with an empty cache.
func NewVerifier(config VerifierConfig) *Verifier {
	if config.Hashers == 0 {
		config.Hashers = DefaultHashers()
	}
	return &Verifier{
		key:      config.Key,
		registry: config.Registry,
		shared:   config.Proofs,
		metrics:  config.Metrics,
		hashers:  semaphore.NewWeighted(int64(config.Hashers)),
	}
}

// presented holds the token and secret that a request presented for one version of a connection.
type presented struct {
	state  *state
	token  []byte
	secret []byte   // nil if the connection requires none
	mac    [32]byte // keyed hash of all of the above
}

// Verify returns the connection of the token, in any State. Checks run in the order of the public contract: a token
// with a wrong checksum gives ErrInvalid even if the registry is stale; otherwise a stale registry gives
// ErrUnavailable. Both errors may be wrapped.
//
// A proved token costs one HMAC and a map look-up, without a lock or an allocation. Neither slice is kept.
func (v *Verifier) Verify(ctx context.Context, text, secret []byte) (*Connection, error) {
	if c := v.alreadyProved(text, secret); c != nil {
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
	c, ok := v.present(e.state.Load(), text, secret)
	if !ok {
		return nil, ErrInvalid
	}
	valid, known := v.cached(e, c)
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

// alreadyProved returns the connection of a cached proof, or nil. A proved token has passed the checksum, so this check
// is skipped, which saves 5 % of the cost of a single message.
func (v *Verifier) alreadyProved(text, secret []byte) *Connection {
	id, ok := token.ConnectionID(text)
	if !ok || !v.registry.Fresh(time.Now()) {
		return nil
	}
	e := get(&v.registry.index, id)
	if e == nil {
		return nil
	}
	c, ok := v.present(e.state.Load(), text, secret)
	if m := e.proof.Load(); !ok || m == nil || !m.matches(c) {
		return nil
	}
	v.metrics.hitProcess.Inc()
	return c.state.connection
}

// present returns what the request presented, and false if it is wrong without a proof.
func (v *Verifier) present(s *state, text, secret []byte) (presented, bool) {
	if s == nil {
		return presented{}, false
	}
	c := presented{state: s, token: text}
	id, generation := s.connection.ID, s.connection.Generation
	if s.connection.SecretHash.IsZero() {
		c.mac = v.key.ProofMAC(id, generation, s.hashes[:], text)
		return c, true
	}
	if len(secret) == 0 || len(secret) > MaxSecretBytes {
		return presented{}, false
	}
	c.secret = secret
	c.mac = v.key.ProofMAC(id, generation, s.hashes[:], text, secret)
	return c, true
}

// cached answers from this process's cache.
func (v *Verifier) cached(e *entry, c presented) (valid, known bool) {
	if m := e.proof.Load(); m != nil && m.matches(c) {
		v.metrics.hitProcess.Inc()
		return true, true
	}
	if v.rejected.has(c) {
		v.metrics.hitRejected.Inc()
		return false, true
	}
	return false, false
}

// Confirm returns the current version of c. It returns ErrInvalid if token or secret changed or the connection was
// deleted since Verify returned c, and ErrUnavailable if the registry is stale.
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
