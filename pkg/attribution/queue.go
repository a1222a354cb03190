package attribution

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// workspaceQueue holds a workspace's changes. A pass applies the changes of all workspaces together, because that costs
// as much as one. But a failure of one must not delay the others. So after a pass that fails, each of its workspaces
// shares the next one with half as many. A workspace that fails alone, or is slow, is isolated: its passes are its own.
type workspaceQueue struct {
	workspace string
	changes             // that wait
	since     time.Time // when the oldest change was queued
	from      time.Time // all changes were written after, by ClickHouse's clock
	reread    *reread   // nil unless changes were dropped

	running    *pass     // nil if no pass is running
	batchLimit int       // how many workspaces may share a pass with it, itself included; 1 if it is isolated
	failures   int       // consecutive ones, alone
	retryAt    time.Time // the next pass starts no earlier
}

// pass is what a running pass took from a queue. The fields are as in workspaceQueue.
type pass struct {
	changes     *changes
	since, from time.Time
	reread      *reread
}

// reread stands for dropped changes: all that were written after from are read from ClickHouse instead.
type reread struct {
	since, from time.Time // as in workspaceQueue

	claims     warehouse.ClaimCursor // pages before the cursors are applied
	claimsDone bool
	product    string // products before it are applied
	activities warehouse.ActivityCursor
}

const (
	maxQueuedChanges = 50_000          // of all workspaces; they come in bursts, as when a history is imported
	slowPass         = 5 * time.Second // a longer one isolates its workspaces
	maxRetryDelay    = time.Minute
	unlimited        = math.MaxInt32 / 2
)

// queueOf returns a workspace's queue, a new one if needed. The caller holds a.mu.
func (a *Service) queueOf(workspace string) *workspaceQueue {
	q := a.queues[workspace]
	if q == nil {
		q = &workspaceQueue{workspace: workspace, batchLimit: unlimited}
		a.queues[workspace] = q
	}
	return q
}

func (q *workspaceQueue) pending() bool { return q.reread != nil || !q.empty() }

// push queues changes that came at since and were written after from.
func (q *workspaceQueue) push(n *changes, since, from time.Time) {
	if q.empty() || since.Before(q.since) {
		q.since = since
	}
	if q.empty() || from.Before(q.from) {
		q.from = from
	}
	q.add(n)
}

// pushReread queues a reread. If one waits, both become one, which starts over.
func (q *workspaceQueue) pushReread(r *reread) {
	if q.reread != nil {
		r = &reread{since: earliest(r.since, q.reread.since), from: earliest(r.from, q.reread.from)}
	}
	q.reread = r
}

// oldest returns when the oldest change of a pending queue was queued.
func (q *workspaceQueue) oldest() time.Time {
	switch {
	case q.reread == nil:
		return q.since
	case q.empty():
		return q.reread.since
	}
	return earliest(q.since, q.reread.since)
}

// limitQueues drops the changes of the longest queue if there are too many in all. The caller holds a.mu.
func (a *Service) limitQueues() {
	all, longest := 0, (*workspaceQueue)(nil)
	for _, q := range a.queues {
		all += q.len()
		if longest == nil || q.len() > longest.len() {
			longest = q
		}
	}
	if all > maxQueuedChanges {
		longest.pushReread(&reread{since: longest.since, from: longest.from})
		longest.changes = changes{}
	}
}

// backlogged returns whether so many changes are queued that no more should be pulled. Workspaces that fail do not
// count, because they may wait for long.
func (a *Service) backlogged() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := 0
	for _, q := range a.queues {
		if q.failures == 0 {
			all += q.len()
		}
	}
	return all > maxQueuedChanges/2
}

// nextPass takes the queues of the next pass: the one that is due and has waited longest, and others that may share a
// pass with it. Only one isolated workspace is in a pass at a time, so that the other pass serves the rest. If no queue
// is due, it returns how long to wait.
func (a *Service) nextPass(now time.Time) (picked []*workspaceQueue, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	due, wait := a.dueQueues(now)
	limit := unlimited
	for _, q := range due {
		if with := min(limit, q.batchLimit); len(picked) < with {
			limit = with
			picked = append(picked, q)
		}
	}
	for _, q := range picked {
		n := q.changes
		q.running = &pass{changes: &n, since: q.since, from: q.from, reread: q.reread}
		q.changes, q.reread = changes{}, nil
	}
	return picked, wait
}

// dueQueues returns the queues that a pass may take, oldest first, and how long to wait if there are none. The caller
// holds a.mu.
func (a *Service) dueQueues(now time.Time) (due []*workspaceQueue, wait time.Duration) {
	isolatedRuns := false
	wait = pollInterval
	for _, q := range a.queues {
		switch {
		case q.running != nil:
			isolatedRuns = isolatedRuns || q.batchLimit == 1
		case !q.pending():
		case q.retryAt.After(now):
			wait = min(wait, q.retryAt.Sub(now))
		default:
			due = append(due, q)
		}
	}
	if isolatedRuns {
		due = slices.DeleteFunc(due, func(q *workspaceQueue) bool { return q.batchLimit == 1 })
	}
	slices.SortFunc(due, func(q, r *workspaceQueue) int { return q.oldest().Compare(r.oldest()) })
	return due, wait
}

// runPass applies the changes that nextPass took.
func (a *Service) runPass(ctx context.Context, queues []*workspaceQueue) error {
	start := time.Now()
	set := changeSet{}
	for _, q := range queues {
		set[q.workspace] = q.running.changes
	}
	err := a.revise(ctx, set)
	for _, q := range queues {
		if err == nil && q.running.reread != nil {
			err = a.rereadChanges(ctx, q.workspace, q.running.reread)
		}
	}
	outcome := passed
	if err != nil {
		outcome = a.classify(ctx, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range queues {
		a.finishPass(q, len(queues), outcome, time.Since(start))
	}
	signal(a.reviseNow)
	return err
}

// outcome is how a pass ended.
type outcome uint8

const (
	passed      outcome = iota
	failed              // one of its workspaces may be the cause
	interrupted         // ClickHouse or the consumer group is the cause
)

func (a *Service) classify(ctx context.Context, err error) outcome {
	for _, cause := range []error{ErrNoMember, stream.ErrFenced, stream.ErrNotOwned} {
		if errors.Is(err, cause) {
			return interrupted
		}
	}
	if _, err := a.lookup.SafeTime(ctx); err != nil {
		return interrupted
	}
	return failed
}

// finishPass ends a pass of count queues for one of them. Changes that were not applied are queued again. The caller
// holds a.mu.
func (a *Service) finishPass(q *workspaceQueue, count int, outcome outcome, took time.Duration) {
	ran := q.running
	q.running = nil
	if outcome != passed {
		if !ran.changes.empty() {
			q.push(ran.changes, ran.since, ran.from)
		}
		if ran.reread != nil {
			q.pushReread(ran.reread)
		}
		a.limitQueues()
	}
	switch {
	case outcome == interrupted:
	case outcome == failed && count > 1:
		q.batchLimit = count / 2
	case outcome == failed:
		q.batchLimit, q.failures = 1, min(q.failures+1, 20)
		q.retryAt = time.Now().Add(min(maxRetryDelay, minPause<<q.failures))
	case took > slowPass:
		q.batchLimit, q.failures = max(count/2, 1), 0
	default:
		q.batchLimit, q.failures = min(q.batchLimit*2, unlimited), 0
	}
	if !q.pending() && q.batchLimit > 1 {
		delete(a.queues, q.workspace)
	}
}

func earliest(t, u time.Time) time.Time {
	if u.Before(t) {
		return u
	}
	return t
}

// lag returns the age of the oldest change that is not applied, in seconds.
func (a *Service) lag() float64 {
	now := time.Now()
	return now.Sub(a.earliestOf(now, func(since, _ time.Time) time.Time { return since })).Seconds()
}

// progress returns a time, by ClickHouse's clock: all changes written before are applied.
func (a *Service) progress() time.Time {
	a.mu.Lock()
	pulled := a.pulledUntil // changes that are pulled meanwhile only make the result earlier
	a.mu.Unlock()
	return a.earliestOf(pulled, func(_, from time.Time) time.Time { return from })
}

// earliestOf returns the earliest time of t and of all changes that are queued or in a pass.
func (a *Service) earliestOf(t time.Time, of func(since, from time.Time) time.Time) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.queues {
		states := []pass{{changes: &q.changes, since: q.since, from: q.from, reread: q.reread}}
		if q.running != nil {
			states = append(states, *q.running)
		}
		for _, p := range states {
			if !p.changes.empty() {
				t = earliest(t, of(p.since, p.from))
			}
			if p.reread != nil {
				t = earliest(t, of(p.reread.since, p.reread.from))
			}
		}
	}
	return t
}
