package connection

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Lease is the time for which an edge trusts its memory after it confirmed that it had read to the end of the topic. A
// change is in force everywhere after a Lease.
const Lease = time.Second

// awaitPoll is Await's polling interval.
const awaitPoll = 5 * time.Millisecond

// Registry is the topic in memory. Reading takes no lock.
type Registry struct {
	log     Log
	metrics *Metrics
	index   index
}

// NewRegistry returns an empty registry. Run fills it.
func NewRegistry(log Log, metrics *Metrics) *Registry {
	return &Registry{log: log, metrics: metrics}
}

// Run follows the topic until ctx ends, then returns nil. Any other end is an error. Call it once.
func (r *Registry) Run(ctx context.Context) error {
	err := r.log.Follow(ctx, r.apply)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = errors.New("it ended")
	}
	return fmt.Errorf("follow the registry of connections: %w", err)
}

// Ready reports whether the end of the topic was ever reached. Before that, every answer is 500.
func (r *Registry) Ready() bool { return !r.log.CurrentAt().IsZero() }

// Fresh reports whether the registry can be trusted at now, which needs a monotonic reading.
func (r *Registry) Fresh(now time.Time) bool {
	at := r.log.CurrentAt()
	return !at.IsZero() && now.Sub(at) <= Lease
}

// Age returns the seconds since the registry was last confirmed to be current; infinite before the first time.
func (r *Registry) Age(now time.Time) float64 {
	at := r.log.CurrentAt()
	if at.IsZero() {
		return math.Inf(1)
	}
	return now.Sub(at).Seconds()
}

// Await returns when every record written before since has been applied. The error wraps ctx's.
func (r *Registry) Await(ctx context.Context, since time.Time) error {
	ticker := time.NewTicker(awaitPoll)
	defer ticker.Stop()
	for {
		if at := r.log.CurrentAt(); !at.IsZero() && !at.Before(since) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("read the registry of connections to its end: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

// Get returns the connection, or nil if it is unknown or deleted. It does not check Fresh.
func (r *Registry) Get(id []byte) *Connection {
	if e := get(&r.index, id); e != nil {
		if s := e.state.Load(); s != nil {
			return s.connection
		}
	}
	return nil
}

// apply applies one record. It counts and skips a record that it cannot decode, which may be of a newer version.
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
		r.clear(id, func(e *entry) { e.state.Store(nil); e.superseded.Store(false) })
		return nil
	}
	c, err := decodeConnection(strings.Clone(id), value)
	if err != nil {
		return err
	}
	e := r.index.ensure(c.ID)
	if s := e.state.Load(); s != nil && c.Revision <= s.connection.Revision {
		e.superseded.Store(s.supersededBy(c)) // based on an old revision: its writer detects that and repeats it
		return nil
	}
	e.state.Store(newState(c))
	e.superseded.Store(false)
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
	merged = merged.current(time.Now())
	e.written.Store(&a)
	e.activity.Store(&merged)
	return nil
}

// clear applies a tombstone and removes an empty entry.
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
