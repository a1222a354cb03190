package connection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/pkg/token"
)

// Errors of a change.
var (
	ErrNotFound = errors.New("there is no such connection")
	ErrConflict = errors.New("the connection is changed by others too often: retry")
)

// The methods below return when the change is in force on every edge. After an error other than ErrNotFound and
// *InputError the change may or may not be in force: check, or repeat it.

// Pause makes edges answer every request with 204 and drop it, until Resume.
func (s *Store) Pause(ctx context.Context, id string) (*Connection, error) {
	return s.setState(ctx, id, Paused)
}

// Resume ends a pause or a disconnection.
func (s *Store) Resume(ctx context.Context, id string) (*Connection, error) {
	return s.setState(ctx, id, Enabled)
}

// Disconnect has the effect of Pause and states that the source is not expected back.
func (s *Store) Disconnect(ctx context.Context, id string) (*Connection, error) {
	return s.setState(ctx, id, Disconnected)
}

func (s *Store) setState(ctx context.Context, id string, state State) (*Connection, error) {
	return s.change(ctx, id, func(c *Connection) { c.State = state })
}

// SetSalts distributes the product's new messages over n partitions.
func (s *Store) SetSalts(ctx context.Context, id string, n int) (*Connection, error) {
	if err := checkSalts(n); err != nil {
		return nil, err
	}
	return s.change(ctx, id, func(c *Connection) { c.Salts = n })
}

// Rotate replaces the token. The old one is refused when this returns.
func (s *Store) Rotate(ctx context.Context, id string) (Created, error) {
	if !token.ValidConnectionID(id) {
		return Created{}, ErrNotFound
	}
	fresh := s.config.Key.Mint(id)
	hash, err := s.hash(fresh)
	if err != nil {
		return Created{}, err
	}
	c, err := s.change(ctx, id, func(c *Connection) {
		c.TokenHash = hash
		c.Generation++
	})
	if err != nil {
		return Created{}, err
	}
	return Created{*c, fresh}, nil
}

// SetSecret requires the secret in every request.
func (s *Store) SetSecret(ctx context.Context, id string, secret token.Secret) (*Connection, error) {
	if err := checkSecret(secret.Reveal()); err != nil {
		return nil, err
	}
	hash, err := s.hash(secret)
	if err != nil {
		return nil, err
	}
	return s.setSecretHash(ctx, id, hash)
}

// ClearSecret removes the requirement of a secret.
func (s *Store) ClearSecret(ctx context.Context, id string) (*Connection, error) {
	return s.setSecretHash(ctx, id, token.Secret{})
}

func (s *Store) setSecretHash(ctx context.Context, id string, hash token.Secret) (*Connection, error) {
	return s.change(ctx, id, func(c *Connection) {
		c.SecretHash = hash
		c.Generation++
	})
}

const (
	changeAttempts = 20 // attempts of a change that loses against concurrent ones
	changesKept    = 32 // concurrent changes that may win between a change and its check
)

// change edits the current version of a connection. The topic has no compare-and-set: of two changes of one revision
// all readers take the first and skip the second. The writer of a skipped change detects that here and repeats it on
// top of the other. That also writes a record after the skipped one, because compaction keeps the last record.
func (s *Store) change(ctx context.Context, id string, edit func(*Connection)) (*Connection, error) {
	name := uuid.NewString()
	for range changeAttempts {
		old, err := s.find(ctx, id)
		if err != nil {
			return nil, err
		}
		c := *old
		edit(&c)
		c.Revision++
		c.UpdatedAt = time.Now().UTC().Truncate(time.Millisecond)
		kept := old.changes[max(0, len(old.changes)-changesKept+1):]
		c.changes = append(slices.Clone(kept), name)
		if err := s.put(ctx, &c); err != nil {
			return nil, err
		}
		written := time.Now()
		now, err := s.find(ctx, id)
		if err != nil {
			return nil, err
		}
		if slices.Contains(now.changes, name) {
			return now, s.settle(ctx, written)
		}
	}
	return nil, ErrConflict
}

// find is Get with ErrNotFound for none.
func (s *Store) find(ctx context.Context, id string) (*Connection, error) {
	c, err := s.Get(ctx, id)
	if err == nil && c == nil {
		err = ErrNotFound
	}
	return c, err
}

// Delete removes the connection. Its token is refused when Delete returns.
func (s *Store) Delete(ctx context.Context, id string) error {
	if _, err := s.find(ctx, id); err != nil {
		return err
	}
	for range changeAttempts {
		for _, key := range []string{connectionKey(id), activityKey(id)} {
			if err := s.config.Log.Append(ctx, key, nil); err != nil {
				return fmt.Errorf("delete connection %s: %w", id, err)
			}
		}
		if err := s.settle(ctx, time.Now()); err != nil {
			return err
		}
		// A concurrent change may have written it again.
		if c, err := s.Get(ctx, id); err != nil || c == nil {
			return err
		}
	}
	return ErrConflict
}
