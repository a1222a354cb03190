package connection

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// ActivityInterval is the shortest time between two records of one connection's activity, the first
	// apart.
	ActivityInterval = 10 * time.Second

	activityTimeout  = 5 * time.Second // for one record, and for all of them at the end
	activityParallel = 32              // records on their way at a time
	activityFirsts   = 1024            // first events waiting for their record; more wait for the interval
)

// Recorder notes when connections are used, counts what came of it, and writes that to the log.
type Recorder struct {
	edge     string // what its tallies are under: another for each process
	registry *Registry
	log      Log
	metrics  *Metrics
	firsts   chan *entry
}

// NewRecorder returns a Recorder; without Run it writes nothing.
func NewRecorder(registry *Registry, log Log, metrics *Metrics) *Recorder {
	return &Recorder{rand.Text()[:edgeIDLength], registry, log, metrics, make(chan *entry, activityFirsts)}
}

// Seen notes what came of a request that was answered. It never blocks and allocates nothing.
func (r *Recorder) Seen(connectionID string, at time.Time, counts Counts) {
	e := get(&r.registry.index, connectionID)
	if e == nil || counts == (Counts{}) {
		return
	}
	e.counter.add(counts) // before the times, so that the record of the first event has it
	ms := at.UnixMilli()
	if counts.Accepted == 0 {
		raise(&e.counter.droppedAt, ms)
		return
	}
	raise(&e.lastSeen, ms) // before firstSeen, so that who sees that one sees this one
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

// lower takes 0 for no value, and tells whether there was none.
func lower(value *atomic.Int64, to int64) (first bool) {
	for old := value.Load(); old == 0 || old > to; old = value.Load() {
		if value.CompareAndSwap(old, to) {
			return old == 0
		}
	}
	return false
}

// Run writes the first event ever of a connection at once, and what came after at each interval, until
// ctx ends; then it writes the rest and returns. What fails is tried again at the next interval.
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

// flush writes all that the log does not have, or does not have last.
func (r *Recorder) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, activityTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(activityParallel)
	r.registry.index.each(func(e *entry) {
		if _, ok := r.unwritten(e); ok {
			group.Go(func() error { r.write(ctx, e); return nil })
		}
		if e.overtaken.Load() {
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

// unwritten is the activity that the log's last record should have been. It is the log's already if that record says
// all of it: a tally that has become old is no reason to write, or two edges whose clocks differ would write in turns. Of a
// deleted connection nothing is written: it would bring the record back.
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
	a = a.merge(Activity{edges: e.counter.tallies(r.edge, e.lastSeen.Load())}).kept(time.Now())
	var written Activity
	if last := e.written.Load(); last != nil {
		written = *last
	}
	return a, !written.covers(a)
}
