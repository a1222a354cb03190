package connection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/pkg/token"
)

// ErrExists is returned by Create for a token that is in use.
var ErrExists = errors.New("the connection exists already")

// Store changes connections. It reads through a Registry, which must be running.
type Store struct{ config StoreConfig }

// StoreConfig configures a Store.
type StoreConfig struct {
	Key      token.Key
	Log      Log
	Registry *Registry
	Cost     token.Cost // of new hashes; token.DefaultCost if zero
	// Settle is the wait after a record is written until the change is in force on every edge. DefaultSettle if 0; less
	// only without running edges, or in a test.
	Settle time.Duration
}

// DefaultSettle is the lease plus time for answers given within it to reach their senders.
const DefaultSettle = Lease + 100*time.Millisecond

// NewStore returns a Store.
func NewStore(config StoreConfig) *Store {
	if config.Cost == (token.Cost{}) {
		config.Cost = token.DefaultCost
	}
	if config.Settle == 0 {
		config.Settle = DefaultSettle
	}
	return &Store{config}
}

// Created is a new connection and its token, which is not stored.
type Created struct {
	Connection Connection
	Token      token.Secret
}

// Create writes a new connection. It returns an *InputError for invalid params. After any other error the connection
// may exist, but its token is lost.
func (s *Store) Create(ctx context.Context, params CreateParams) (Created, error) {
	if err := params.check(); err != nil {
		return Created{}, err
	}
	id, err := s.identify(ctx, &params)
	if err != nil {
		return Created{}, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	c := Connection{
		ID: id, WorkspaceID: params.WorkspaceID, ProductID: params.ProductID, Name: params.Name, Note: params.Note,
		State: Enabled, Salts: params.Salts, Generation: 1, Revision: 1, CreatedAt: now, UpdatedAt: now,
	}
	if c.TokenHash, err = s.hash(params.Token); err != nil {
		return Created{}, err
	}
	if c.SecretHash, err = s.hash(params.Secret); err != nil {
		return Created{}, err
	}
	if err := s.put(ctx, &c); err != nil {
		return Created{}, err
	}
	written := time.Now()
	// Nothing is revoked here: without the wait a sender may get a 401 at first. The token must not be lost for that.
	_ = s.settle(ctx, written)
	return Created{c, params.Token}, nil
}

// identify creates a token if none is given, and returns its connection id.
func (s *Store) identify(ctx context.Context, params *CreateParams) (string, error) {
	if params.Token.IsZero() {
		id := token.NewConnectionID()
		params.Token = s.config.Key.Mint(id)
		return id, nil
	}
	id, ok := s.config.Key.Parse([]byte(params.Token.Reveal()))
	if !ok {
		return "", &InputError{"token", "was not made with this installation's key"}
	}
	c, err := s.Get(ctx, string(id))
	if err != nil {
		return "", err
	}
	if c != nil {
		return "", fmt.Errorf("%w: %s", ErrExists, c.ID)
	}
	return string(id), nil
}

// Get returns the current connection, or nil if there is none.
func (s *Store) Get(ctx context.Context, id string) (*Connection, error) {
	if err := s.config.Registry.Await(ctx, time.Now()); err != nil {
		return nil, err
	}
	return s.config.Registry.Get([]byte(id)), nil
}

// Listed is a connection with its status and activity.
type Listed struct {
	Connection
	Status Status `json:"status"`
	Activity
	Totals Counts `json:"totals"` // of the activity, when it was listed
}

// Find returns one current connection with its activity, or ErrNotFound.
func (s *Store) Find(ctx context.Context, id string) (Listed, error) {
	if err := s.config.Registry.Await(ctx, time.Now()); err != nil {
		return Listed{}, err
	}
	if e := get(&s.config.Registry.index, id); e != nil {
		if listed, ok := e.listed(time.Now()); ok {
			return listed, nil
		}
	}
	return Listed{}, ErrNotFound
}

// listed returns false for a deleted connection.
func (e *entry) listed(now time.Time) (l Listed, ok bool) {
	state := e.state.Load()
	if state == nil {
		return l, false
	}
	l.Connection = *state.connection
	if a := e.activity.Load(); a != nil {
		l.Activity = *a
	}
	l.Totals = l.Activity.Totals(now)
	l.Status = l.Connection.Status(l.Activity)
	return l, true
}

// List returns all current connections, the oldest first.
func (s *Store) List(ctx context.Context) ([]Listed, error) {
	if err := s.config.Registry.Await(ctx, time.Now()); err != nil {
		return nil, err
	}
	now := time.Now()
	var all []Listed
	s.config.Registry.index.each(func(e *entry) {
		if listed, ok := e.listed(now); ok {
			all = append(all, listed)
		}
	})
	slices.SortFunc(all, func(a, b Listed) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// hash returns the scrypt hash of text, zero for zero.
func (s *Store) hash(text token.Secret) (token.Secret, error) {
	if text.IsZero() {
		return text, nil
	}
	return s.config.Cost.Hash([]byte(text.Reveal()))
}

func (s *Store) put(ctx context.Context, c *Connection) error {
	value, err := encodeConnection(c)
	if err != nil {
		return err
	}
	if err := s.config.Log.Append(ctx, connectionKey(c.ID), value); err != nil {
		return fmt.Errorf("write connection %s: %w", c.ID, err)
	}
	return nil
}

// settle waits until no edge acts on records older than the one acknowledged at written.
func (s *Store) settle(ctx context.Context, written time.Time) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for the change to be in force: %w", ctx.Err())
	case <-time.After(s.config.Settle - time.Since(written)):
		return nil
	}
}
