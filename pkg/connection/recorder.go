package connection

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// ActivityInterval is the shortest time between two activity records of one connection, except the first.
	ActivityInterval = 10 * time.Second

	activityTimeout  = 5 * time.Second // for one record, and for all of them at the end
	activityParallel = 32              // records in flight
	activityFirsts   = 1024            // first events queued for an immediate record; others wait for the interval
)

// Recorder counts the results of connections' requests and writes them to the topic.
type Recorder struct {
	edge     string // name of its tallies; different for each process
	registry *Registry
	log      Log
	metrics  *Metrics
	firsts   chan *entry
}

// NewRecorder returns a Recorder. It writes nothing before Run.
func NewRecorder(registry *Registry, log Log, metrics *Metrics) *Recorder {
	return &Recorder{rand.Text()[:edgeIDLength], registry, log, metrics, make(chan *entry, activityFirsts)}
}

// Seen counts an answered request. It never blocks and allocates nothing.
func (r *Recorder) Seen(connectionID string, at time.Time, counts Counts) {
	e := get(&r.registry.index, connectionID)
	if e == nil || counts == (Counts{}) {
		return
	}
	e.counter.add(counts) // before the times, so that the record of the first event includes it
	ms := at.UnixMilli()
	if counts.Accepted == 0 {
		raise(&e.counter.droppedAt, ms)
		return
	}
	raise(&e.lastSeen, ms) // before firstSeen, so that a reader of firstSeen finds lastSeen set
	if lower(&e.firstSeen, ms) && e.waiting() {
		select {
		case r.firsts <- e:
		default:
		}
	}
}

func raise(value *atomic.Int64, to int64) {
	for old := value.Load(); old < to; old = value.Load() {
		if value.CompareAndSwap(old, to) {
			return
		}
	}
}

// lower treats 0 as unset and reports whether it was.
func lower(value *atomic.Int64, to int64) (first bool) {
	for old := value.Load(); old == 0 || old > to; old = value.Load() {
		if value.CompareAndSwap(old, to) {
			return old == 0
		}
	}
	return false
}

// Run writes a connection's first event immediately and later activity at each interval. When ctx ends it writes the
// rest and returns. Failed writes are retried at the next interval.
func (r *Recorder) Run(ctx context.Context) {
	ticker := time.NewTicker(ActivityInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			r.flush(context.WithoutCancel(ctx))
			return
		case e := <-r.firsts:
			r.write(ctx, e)
		case <-ticker.C:
			r.flush(ctx)
		}
	}
}

// flush writes all activity that the topic's last records do not contain.
func (r *Recorder) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, activityTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(activityParallel)
	r.registry.index.each(func(e *entry) {
		if _, ok := r.unwritten(e); ok {
			group.Go(func() error { r.write(ctx, e); return nil })
		}
		if e.superseded.Load() {
			group.Go(func() error { r.restore(ctx, e); return nil })
		}
	})
	group.Wait() //nolint:errcheck // write counts its failures
}

func (r *Recorder) write(ctx context.Context, e *entry) {
	activity, ok := r.unwritten(e)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, activityTimeout)
	defer cancel()
	value, err := encodeActivity(activity)
	if err == nil {
		err = r.log.Append(ctx, activityKey(e.id), value)
	}
	if err != nil {
		r.metrics.activityFailures.Inc()
	}
}

// unwritten returns the merged activity, and whether the topic's last record lacks some of it. An expired tally is no
// reason to write: two edges with different clocks would alternate. Nothing is written for a deleted connection.
func (r *Recorder) unwritten(e *entry) (a Activity, ok bool) {
	if e.state.Load() == nil {
		return a, false
	}
	if known := e.activity.Load(); known != nil {
		a = *known
	}
	if first := e.firstSeen.Load(); first != 0 {
		a = a.merge(activityBetween(first, e.lastSeen.Load()))
	}
	a = a.merge(Activity{edges: e.counter.tallies(r.edge, e.lastSeen.Load())}).current(time.Now())
	var written Activity
	if last := e.written.Load(); last != nil {
		written = *last
	}
	return a, !written.covers(a)
}
