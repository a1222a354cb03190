package connection

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Lease is how long an edge trusts what it knew when it last confirmed that it had read to the end of
// the log, and so how long a change takes until it is in force everywhere.
const Lease = time.Second

// awaitPoll is how often Await looks again.
const awaitPoll = 5 * time.Millisecond

// Registry is the log in memory. Reading it takes no lock.
type Registry struct {
	log     Log
	metrics *Metrics
	index   index
}

// NewRegistry returns an empty registry; Run fills it.
func NewRegistry(log Log, metrics *Metrics) *Registry {
	return &Registry{log: log, metrics: metrics}
}

// Run follows the log until ctx ends, then returns nil; any other end is an error. Call it once.
func (r *Registry) Run(ctx context.Context) error {
	err := r.log.Follow(ctx, r.apply)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = errors.New("it ended")
	}
	return fmt.Errorf("following the log of connections: %w", err)
}

// Ready tells whether the end of the log was ever reached. Before that, every answer would be a 500.
func (r *Registry) Ready() bool { return !r.log.CurrentAt().IsZero() }

// Fresh tells whether the registry can be trusted at the instant now, which needs a monotonic reading.
func (r *Registry) Fresh(now time.Time) bool {
	at := r.log.CurrentAt()
	return !at.IsZero() && now.Sub(at) <= Lease
}

// Age is how long ago, at the instant now, the registry was known to be read to its end, in seconds: infinite before
// it ever was.
func (r *Registry) Age(now time.Time) float64 {
	at := r.log.CurrentAt()
	if at.IsZero() {
		return math.Inf(1)
	}
	return now.Sub(at).Seconds()
}

// Await returns once everything that was in the log at the instant since has been applied. The error is
// ctx's, wrapped.
func (r *Registry) Await(ctx context.Context, since time.Time) error {
	ticker := time.NewTicker(awaitPoll)
	defer ticker.Stop()
	for {
		if at := r.log.CurrentAt(); !at.IsZero() && !at.Before(since) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("reading the log of connections to its end: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

// Get returns the connection, or nil if it is unknown or deleted. It does not ask whether the registry
// is fresh.
func (r *Registry) Get(id []byte) *Connection {
	if e := get(&r.index, id); e != nil {
		if s := e.state.Load(); s != nil {
			return s.connection
		}
	}
	return nil
}

// apply takes one record of the log. One that cannot be read is counted and skipped: it may be a newer
// version's, and must not keep the others from being applied.
func (r *Registry) apply(key string, value []byte) {
	var err error
	if id, ok := cutID(key, connectionPrefix); ok {
		err = r.applyConnection(id, value)
	} else if id, ok := cutID(key, activityPrefix); ok {
		err = r.applyActivity(id, value)
	} else {
		err = errors.New("the key is of no known kind")
	}
	if err != nil {
		r.metrics.undecodable.Inc()
	}
}

func (r *Registry) applyConnection(id string, value []byte) error {
	if value == nil {
		r.clear(id, func(e *entry) { e.state.Store(nil); e.overtaken.Store(false) })
		return nil
	}
	c, err := decodeConnection(strings.Clone(id), value)
	if err != nil {
		return err
	}
	e := r.index.ensure(c.ID)
	if s := e.state.Load(); s != nil && c.Revision <= s.connection.Revision {
		e.overtaken.Store(s.overtakenBy(c)) // made from a state that is not the latest any more: its writer sees that and tries again
		return nil
	}
	e.state.Store(newState(c))
	e.overtaken.Store(false)
	return nil
}

func (r *Registry) applyActivity(id string, value []byte) error {
	if value == nil {
		r.clear(id, func(e *entry) { e.activity.Store(nil); e.written.Store(nil) })
		return nil
	}
	a, err := decodeActivity(value)
	if err != nil {
		return err
	}
	e := r.index.ensure(strings.Clone(id))
	merged := a
	if known := e.activity.Load(); known != nil {
		merged = a.merge(*known)
	}
	merged = merged.kept(time.Now())
	e.written.Store(&a)
	e.activity.Store(&merged)
	return nil
}

// clear applies a tombstone, and forgets the id when nothing is left of it.
func (r *Registry) clear(id string, empty func(*entry)) {
	e := get(&r.index, id)
	if e == nil {
		return
	}
	empty(e)
	if e.state.Load() == nil && e.activity.Load() == nil {
		r.index.remove(id)
	}
}
