package connection

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/pkg/token"
)

// MemoBudget is the longest that one call of the shared memo may take. Beyond it scrypt is the faster
// answer.
const MemoBudget = 20 * time.Millisecond

// prove decides a claim that this process does not know. One at a time does so for a connection: those
// who wait find the answer in memory when their turn comes, and a sender that tries one secret after
// the other holds a single hasher.
//
// Proving takes a while, in which the connection may be rotated, paused or deleted, and the call that
// did so may have returned. So the answer counts only if the version that was proved is still in force
// afterwards. A refusal too: the token may be the new one.
func (v *Verifier) prove(ctx context.Context, e *entry, c claim) (valid bool, err error) {
	select {
	case e.gate <- struct{}{}:
	case <-ctx.Done():
		return false, fmt.Errorf("%w: waiting for another proof: %w", ErrUnavailable, ctx.Err())
	}
	defer func() { <-e.gate }()

	valid, known := v.recall(e, c)
	if !known {
		if valid, err = v.examine(ctx, e, c); err != nil {
			return false, err
		}
	}
	if !v.inForce(c) {
		return false, fmt.Errorf("%w: the connection changed meanwhile, or may have", ErrUnavailable)
	}
	return valid, nil
}

func (v *Verifier) inForce(c claim) bool {
	if !v.registry.Fresh(time.Now()) {
		return false
	}
	e := get(&v.registry.index, c.state.connection.ID)
	return e != nil && e.state.Load() == c.state
}

// examine asks the shared memo, then scrypt, and remembers what it found.
func (v *Verifier) examine(ctx context.Context, e *entry, c claim) (valid bool, err error) {
	if m := v.recallShared(ctx, c); m.matches(c) {
		v.metrics.hitRedis.Inc()
		e.memo.Store(&m)
		return true, nil
	}
	valid, err = v.hash(ctx, c)
	if err != nil {
		return false, err
	}
	if !valid {
		v.refused.add(c)
		return false, nil
	}
	m := memo{c.state.connection.Generation, c.mac}
	e.memo.Store(&m)
	v.share(ctx, c, m)
	return true, nil
}

// hash runs scrypt for the secret, and for the token if that was right. In this order, because who has
// a stolen URL but not the secret then costs one run a try, not two.
func (v *Verifier) hash(ctx context.Context, c claim) (valid bool, err error) {
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

func (v *Verifier) recallShared(ctx context.Context, c claim) memo {
	if v.shared == nil {
		return memo{}
	}
	ctx, cancel := context.WithTimeout(ctx, MemoBudget)
	defer cancel()
	b, err := v.shared.Get(ctx, c.state.connection.ID)
	if err != nil {
		v.metrics.redisErrors.Inc()
		return memo{}
	}
	return decodeMemo(b)
}

func (v *Verifier) share(ctx context.Context, c claim, m memo) {
	if v.shared == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, MemoBudget)
	defer cancel()
	if v.shared.Set(ctx, c.state.connection.ID, m.encode()) != nil {
		v.metrics.redisErrors.Inc()
	}
}
