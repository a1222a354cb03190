package attribution

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/millrace/millrace/pkg/stream"
)

// desk is what a workspace has to be worked in. As a rule all workspaces are worked in together, which costs as much as
// one; but what goes wrong with one must not hold up the rest. So when a pass fails, each of its workspaces
// may share the next with half as many, and one that fails alone, or is slow, is left alone with its trouble.
type desk struct {
	workspace string
	news                // that wait
	since     time.Time // when the oldest of them came
	from      time.Time // by ClickHouse's clock: all of them were written down after
	lost      bool      // there were more than can be kept: what was written down since from is read back instead

	at       *work     // what is being worked in, if anything is
	company  int       // how many may be worked in together
	failures int       // in a row, alone
	rest     time.Time // it is not tried again before
}

// work is what a pass works in for one workspace.
type work struct {
	news  *news
	since time.Time
	from  time.Time
	lost  bool
}

const (
	maxNews    = 50_000          // that wait. They come in bursts, as when a history is loaded
	slowPass   = 5 * time.Second // who takes longer is worked in alone
	restLonger = time.Minute     // the longest rest after failures
	anyCompany = math.MaxInt32 / 2
)

// deskOf finds a workspace's desk. The caller holds the lock, as for what follows.
func (a *Service) deskOf(workspace string) *desk {
	d := a.desks[workspace]
	if d == nil {
		d = &desk{workspace: workspace, company: anyCompany}
		a.desks[workspace] = d
	}
	return d
}

func (d *desk) waits() bool { return d.lost || !d.empty() }

// put adds news that came at a time, and were written down after another. What will be read back is not kept.
func (d *desk) put(n *news, since, from time.Time) {
	if !d.waits() || since.Before(d.since) {
		d.since = since
	}
	if !d.waits() || from.Before(d.from) {
		d.from = from
	}
	if !d.lost {
		d.add(n)
	}
}

// bound forgets the news of whoever has most, if there are too many: what they tell of is written down.
func (a *Service) bound() {
	all, most := 0, (*desk)(nil)
	for _, d := range a.desks {
		all += d.len()
		if most == nil || d.len() > most.len() {
			most = d
		}
	}
	if all > maxNews {
		most.news, most.lost = news{}, true
	}
}

// busy tells whether so many news wait that more should not be looked for. Those of a workspace in trouble do not count:
// they may wait for long.
func (a *Service) busy() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := 0
	for _, d := range a.desks {
		if d.failures == 0 {
			all += d.len()
		}
	}
	return all > maxNews/2
}

// pick takes the desks of the next pass: the one that has waited longest of those that may be worked in, and others that
// it may be with. Of those that have to be alone there is one at a time, so that they do not hold up the rest. If there
// are none, it tells when to look again.
func (a *Service) pick(now time.Time) (picked []*desk, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	alone := false
	var due []*desk
	wait = pollInterval
	for _, d := range a.desks {
		switch {
		case d.at != nil:
			alone = alone || d.company == 1
		case !d.waits():
		case d.rest.After(now):
			wait = min(wait, d.rest.Sub(now))
		default:
			due = append(due, d)
		}
	}
	if alone {
		due = slices.DeleteFunc(due, func(d *desk) bool { return d.company == 1 })
	}
	slices.SortFunc(due, func(d, e *desk) int { return d.since.Compare(e.since) })
	company := anyCompany
	for _, d := range due {
		if with := min(company, d.company); len(picked) < with {
			company = with
			picked = append(picked, d)
		}
	}
	for _, d := range picked {
		n := d.news
		d.at = &work{news: &n, since: d.since, from: d.from, lost: d.lost}
		d.news, d.lost = news{}, false
	}
	return picked, wait
}

// pass works in what is on the desks.
func (a *Service) pass(ctx context.Context, desks []*desk) error {
	start := time.Now()
	of := newsOf{}
	for _, d := range desks {
		of[d.workspace] = d.at.news
	}
	err := a.workIn(ctx, of)
	for _, d := range desks {
		if err == nil && d.at.lost {
			err = a.readBack(ctx, d)
		}
	}
	troubled := false // it is no workspace's fault
	if err != nil {
		_, ping := a.lookup.SafeTime(ctx)
		troubled = ping != nil || errors.Is(err, ErrNoMember) || errors.Is(err, stream.ErrFenced) || errors.Is(err, stream.ErrGivenUp)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range desks {
		a.finish(d, len(desks), err != nil, troubled, time.Since(start))
	}
	rouse(a.work)
	return err
}

// finish takes the desk out of a pass of so many. What was not worked in waits on.
func (a *Service) finish(d *desk, desks int, failed, troubled bool, took time.Duration) {
	at := d.at
	d.at = nil
	if failed {
		lost := d.lost || at.lost
		d.put(at.news, at.since, at.from)
		if d.lost = lost; lost {
			d.news, d.from = news{}, earliest(d.from, at.from)
		}
		a.bound()
	}
	switch {
	case troubled:
	case failed && desks > 1:
		d.company = desks / 2
	case failed:
		d.company, d.failures = 1, min(d.failures+1, 20)
		d.rest = time.Now().Add(min(restLonger, passPause<<d.failures))
	case took > slowPass:
		d.company, d.failures = max(desks/2, 1), 0
	default:
		d.company, d.failures = min(d.company*2, anyCompany), 0
	}
	if !d.waits() && d.company > 1 {
		delete(a.desks, d.workspace)
	}
}

func earliest(t, u time.Time) time.Time {
	if u.Before(t) {
		return u
	}
	return t
}

// lag is how long the oldest news has been waiting, in seconds.
func (a *Service) lag() float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	oldest := now
	for _, d := range a.desks {
		if d.waits() {
			oldest = earliest(oldest, d.since)
		}
		if d.at != nil {
			oldest = earliest(oldest, d.at.since)
		}
	}
	return now.Sub(oldest).Seconds()
}

// progress is up to when all that was learnt is worked in.
func (a *Service) progress() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	to := a.learntTo
	for _, d := range a.desks {
		if d.waits() {
			to = earliest(to, d.from)
		}
		if d.at != nil {
			to = earliest(to, d.at.from)
		}
	}
	return to
}
