package connection

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/pkg/token"
)

// ProofCacheTimeout bounds one call of the shared proof cache. Beyond it scrypt is faster.
const ProofCacheTimeout = 20 * time.Millisecond

// prove verifies credentials that are not in this process's cache. It runs once at a time per connection: waiting
// requests then find the result in the cache, and a sender that guesses secrets occupies one hasher.
//
// The connection may be rotated, paused or deleted while scrypt runs, and the command may have returned. So the result
// counts only if the proved version is still in force afterwards. This includes rejections: the token may be the new
// one.
func (v *Verifier) prove(ctx context.Context, e *entry, c presented) (valid bool, err error) {
	select {
	case e.gate <- struct{}{}:
	case <-ctx.Done():
		return false, fmt.Errorf("%w: waiting for another proof: %w", ErrUnavailable, ctx.Err())
	}
	defer func() { <-e.gate }()

	valid, known := v.cached(e, c)
	if !known {
		if valid, err = v.verifyOnce(ctx, e, c); err != nil {
			return false, err
		}
	}
	if !v.inForce(c) {
		return false, fmt.Errorf("%w: the connection may have changed during the check", ErrUnavailable)
	}
	return valid, nil
}

func (v *Verifier) inForce(c presented) bool {
	if !v.registry.Fresh(time.Now()) {
		return false
	}
	e := get(&v.registry.index, c.state.connection.ID)
	return e != nil && e.state.Load() == c.state
}

// verifyOnce asks the shared cache, then scrypt, and caches the result.
func (v *Verifier) verifyOnce(ctx context.Context, e *entry, c presented) (valid bool, err error) {
	if p := v.cachedInRedis(ctx, c); p.matches(c) {
		v.metrics.hitRedis.Inc()
		e.proof.Store(&p)
		return true, nil
	}
	valid, err = v.hash(ctx, c)
	if err != nil {
		return false, err
	}
	if !valid {
		v.rejected.add(c)
		return false, nil
	}
	p := proof{c.state.connection.Generation, c.mac}
	e.proof.Store(&p)
	v.share(ctx, c, p)
	return true, nil
}

// hash runs scrypt for the secret and then, if that matches, for the token. In this order a sender with a stolen URL
// and no secret costs one run per attempt instead of two.
func (v *Verifier) hash(ctx context.Context, c presented) (valid bool, err error) {
	if err := v.hashers.Acquire(ctx, 1); err != nil {
		return false, fmt.Errorf("%w: waiting to run scrypt: %w", ErrUnavailable, err)
	}
	defer v.hashers.Release(1)
	if c.secret != nil {
		if valid, err = v.matches(c.state.connection.SecretHash, c.secret); err != nil || !valid {
			return false, err
		}
	}
	return v.matches(c.state.connection.TokenHash, c.token)
}

func (v *Verifier) matches(hash token.Secret, text []byte) (bool, error) {
	v.metrics.scrypt.Inc()
	ok, err := token.Verify(hash, text)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return ok, nil
}

func (v *Verifier) cachedInRedis(ctx context.Context, c presented) proof {
	if v.shared == nil {
		return proof{}
	}
	ctx, cancel := context.WithTimeout(ctx, ProofCacheTimeout)
	defer cancel()
	b, err := v.shared.Get(ctx, c.state.connection.ID)
	if err != nil {
		v.metrics.redisErrors.Inc()
		return proof{}
	}
	return decodeProof(b)
}

func (v *Verifier) share(ctx context.Context, c presented, p proof) {
	if v.shared == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, ProofCacheTimeout)
	defer cancel()
	if v.shared.Set(ctx, c.state.connection.ID, p.encode()) != nil {
		v.metrics.redisErrors.Inc()
	}
}
