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

// ErrExists is a connection created anew under a token that is in use already.
var ErrExists = errors.New("the connection exists already")

// Store is the admin's side of the log. It reads through a Registry, which must be running.
type Store struct{ config StoreConfig }

// StoreConfig is what a Store is made of.
type StoreConfig struct {
	Key      token.Key
	Log      Log
	Registry *Registry
	Cost     token.Cost // of new hashes; token.DefaultCost if zero
	// Settle is how long a call waits after its record is written, so that it is in force on every edge
	// when it returns. DefaultSettle if 0; less is right only where no edge is running, or for a test.
	Settle time.Duration
}

// DefaultSettle is the lease, and time for answers that were given within it to reach their senders.
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

// Created is a new connection and its token, which nobody can get to know again.
type Created struct {
	Connection Connection
	Token      token.Secret
}

// Create writes a new connection. An *InputError says what is wrong with params; after any other error
// the connection may exist, but nobody has its token.
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
	// Nothing is revoked here: who does not wait for the edges may get a 401 from one, no more. The token
	// must not be lost for it.
	_ = s.settle(ctx, written)
	return Created{c, params.Token}, nil
}

// identify mints a token if none was given, and returns the id in it.
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

// Get returns the connection as of now, or nil if there is none.
func (s *Store) Get(ctx context.Context, id string) (*Connection, error) {
	if err := s.config.Registry.Await(ctx, time.Now()); err != nil {
		return nil, err
	}
	return s.config.Registry.Get([]byte(id)), nil
}

// Listed is a connection and how it fares.
type Listed struct {
	Connection
	Status Status `json:"status"`
	Activity
	Totals Counts `json:"totals"` // the activity's, as of when it was listed
}

// Find returns one connection as of now, and how it fares, or ErrNotFound.
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

// listed is not there for a connection that was deleted.
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

// List returns all connections as of now, the oldest first.
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

// hash keeps a zero text zero.
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
		return fmt.Errorf("writing connection %s: %w", c.ID, err)
	}
	return nil
}

// settle waits until no edge acts on anything older than what was acknowledged at the instant written.
func (s *Store) settle(ctx context.Context, written time.Time) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("waiting for the change to be in force: %w", ctx.Err())
	case <-time.After(s.config.Settle - time.Since(written)):
		return nil
	}
}
