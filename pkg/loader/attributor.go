package loader

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// attributor is what the lanes share to find out whom events are about, and the one who works news into events
// that are stored already. What it does can be done twice, and half: whatever is lost with the process is in
// ClickHouse, and is learnt again from there.
type attributor struct {
	service    *Service
	identities *attribution.Identities
	lookup     *warehouse.Lookup
	writer     uint64 // of what is learnt
	wake       chan struct{}

	mu      sync.Mutex
	pending news
	since   time.Time         // when the oldest of it came
	working time.Time         // when the oldest came of what is being worked in; zero if nothing is
	overran bool              // there was more than can be kept: it is read back from ClickHouse instead
	owed    []warehouse.Facts // learnt by lanes that were given up before they could write it down
	opened  []int32           // partitions that have come since the last pass

	// Of the one goroutine that works news in:
	learntTo time.Time // what other loaders have written up to here is worked in
	caughtUp time.Time // up to here, also what this process may have left undone in an earlier life
	taken    time.Time // when the last partition came, by ClickHouse's clock; zero once that is worked in
	saved    time.Time
	polled   time.Time
}

func newAttributor(s *Service) (*attributor, error) {
	lookup, err := warehouse.NewLookup(s.config.Warehouse)
	if err != nil {
		return nil, err
	}
	return &attributor{service: s, lookup: lookup, writer: rand.Uint64(), identities: attribution.NewIdentities(s.config.IdentityCache), wake: make(chan struct{}, 1)}, nil
}

// announce has news worked in.
func (a *attributor) announce(n *news) {
	if n.empty() {
		return
	}
	a.mu.Lock()
	if a.pending.empty() && !a.overran {
		a.since = time.Now()
	}
	a.pending.add(n)
	a.bound()
	a.mu.Unlock()
	a.rouse()
}

// maxNews bounds the news that wait. They come in bursts, as when a history is loaded.
const maxNews = 50_000

// bound forgets news that are too many: what they tell of is written down, after what has been worked in.
func (a *attributor) bound() {
	if a.pending.len() > maxNews {
		a.pending, a.overran = news{}, true
	}
}

// lag is how long the oldest news has been waiting, in seconds.
func (a *attributor) lag() float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !a.working.IsZero():
		return time.Since(a.working).Seconds()
	case a.pending.empty() && !a.overran:
		return 0
	}
	return time.Since(a.since).Seconds()
}

func (a *attributor) rouse() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// owe has what a lane has learnt written down without it.
func (a *attributor) owe(blocks []warehouse.Facts, n *news) {
	a.mu.Lock()
	a.owed = append(a.owed, blocks...)
	a.mu.Unlock()
	a.announce(n)
}

// open has a partition's events looked through for what has been learnt since its last loader did.
func (a *attributor) open(p stream.Partition) {
	if p.Topic != a.service.deps.Stream.Topics().Ingest {
		return
	}
	a.mu.Lock()
	a.opened = append(a.opened, p.ID)
	a.mu.Unlock()
	a.rouse()
}

const (
	passPause    = 200 * time.Millisecond // between two passes, at least;
	passShare    = 4                      // and as many times as long as the pass took, so that it does not live off the server
	pollInterval = 3 * time.Second        // how often what others have learnt is read
	saveInterval = 10 * time.Second       // how often progress is
)

// start has news worked in until ctx ends or stop is called.
func (a *attributor) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// run works news in until ctx ends.
func (a *attributor) run(ctx context.Context) {
	for ctx.Err() == nil {
		start := time.Now()
		if err := a.pass(ctx); err != nil && ctx.Err() == nil {
			a.service.metrics.retries.WithLabelValues("attribute stored events").Inc()
			a.service.deps.Log.Warn("cannot attribute stored events anew, trying again", "error", err)
		}
		took := time.Since(start)
		a.service.metrics.pass.Observe(took.Seconds())
		sleep(ctx, max(passPause, passShare*took))
		select {
		case <-a.wake:
		case <-time.After(pollInterval):
		case <-ctx.Done():
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// pass works in all news there are. They are taken first: what they tell of is written down, or owed, by then.
func (a *attributor) pass(ctx context.Context) error {
	a.mu.Lock()
	n, since, overran := a.pending, a.since, a.overran
	a.pending, a.overran = news{}, false
	if !n.empty() || overran {
		a.working = since
	}
	a.mu.Unlock()
	var err error
	if overran {
		err = a.rewind(ctx)
		overran = err != nil // learntTo remembers it: a pass that fails must not go back further each time
	}
	if err == nil {
		err = a.take(ctx, &n)
	}
	a.mu.Lock()
	a.working = time.Time{}
	a.mu.Unlock()
	if err != nil {
		a.mu.Lock()
		a.pending.add(&n)
		a.since, a.overran = since, a.overran || overran
		a.bound()
		a.mu.Unlock()
		return err
	}
	return a.save(ctx)
}

// rewind has news that were forgotten read back: all that was written down since what has been worked in.
func (a *attributor) rewind(ctx context.Context) error {
	now, err := a.lookup.Settled(ctx)
	if err == nil && !a.caughtUp.IsZero() {
		a.caughtUp = now.Add(warehouse.Settling)
		a.learntTo = a.learntTo.Add(-a.service.config.Warehouse.Timeout) // announced later than written
	}
	return err
}

func (a *attributor) take(ctx context.Context, n *news) error {
	if err := a.payBack(ctx); err != nil {
		return err
	}
	if err := a.resume(ctx); err != nil {
		return err
	}
	to, err := a.learn(ctx, n)
	if err != nil {
		return err
	}
	if !n.empty() {
		if err := a.workIn(ctx, n); err != nil {
			return err
		}
	}
	a.learntTo = to
	return nil
}

// payBack writes down what is owed.
func (a *attributor) payBack(ctx context.Context) error {
	a.mu.Lock()
	owed := a.owed
	a.owed = nil
	a.mu.Unlock()
	for i, block := range owed {
		if err := a.lookup.Insert(ctx, block); err != nil {
			a.mu.Lock()
			a.owed = append(a.owed, owed[i:]...)
			a.mu.Unlock()
			return err
		}
	}
	return nil
}

// resume goes back to where the last loaders of the partitions that have come were.
func (a *attributor) resume(ctx context.Context) error {
	a.mu.Lock()
	opened := a.opened
	a.opened = nil
	a.mu.Unlock()
	if len(opened) == 0 {
		return nil
	}
	err := a.goBack(ctx, opened)
	if err != nil {
		a.mu.Lock()
		a.opened = append(a.opened, opened...)
		a.mu.Unlock()
	}
	return err
}

func (a *attributor) goBack(ctx context.Context, opened []int32) error {
	progress, err := a.lookup.Progress(ctx, a.service.config.Consumer.Group)
	if err != nil {
		return err
	}
	now, err := a.lookup.Settled(ctx)
	if err != nil {
		return err
	}
	if a.learntTo.IsZero() {
		a.learntTo = now
	}
	a.taken = now.Add(warehouse.Settling)
	a.caughtUp = a.taken
	for _, id := range opened {
		from := time.Time{}
		if at, ok := progress[id]; ok {
			from = at.Add(-a.service.config.Warehouse.Timeout)
		}
		if from.Before(a.learntTo) {
			a.learntTo = from
		}
	}
	return nil
}

// leased tells whether partitions have come whose last loader may still revise rows: it had read them before it lost
// the partition, knows less than is known now, and writes last. When it cannot any more, all that it may not have
// known is gone back for, also what this loader has learnt and worked in since.
func (a *attributor) leased(ctx context.Context) (bool, error) {
	if a.taken.IsZero() {
		return false, nil
	}
	if leased, err := a.lookup.Leased(ctx, a.taken); err != nil || leased {
		return leased, err
	}
	settled, err := a.lookup.Settled(ctx)
	if err == nil {
		a.taken, a.caughtUp = time.Time{}, settled.Add(warehouse.Settling)
	}
	return false, err
}

// learn reads what other loaders have learnt, and what this one may have left undone in an earlier life.
func (a *attributor) learn(ctx context.Context, n *news) (to time.Time, err error) {
	if a.caughtUp.IsZero() {
		return a.learntTo, nil // no partition has come yet
	}
	if leased, err := a.leased(ctx); err != nil || leased {
		return a.learntTo, err
	}
	behind := a.learntTo.Before(a.caughtUp)
	if !behind && time.Since(a.polled) < pollInterval {
		return a.learntTo, nil
	}
	a.polled = time.Now()
	but := a.writer
	if behind {
		but = 0 // what this one has written before a partition came to it counts too
	}
	learnt, err := a.lookup.LearntSince(ctx, a.learntTo, but)
	if err != nil {
		return to, err
	}
	var addresses []attribution.Name
	for i := range learnt.Claims {
		c := &learnt.Claims[i]
		a.identities.Merge(c)
		n.move(c, attribution.ID{})
		if c.Email != nil {
			addresses = append(addresses, attribution.Name{Workspace: c.Workspace, Name: c.Email})
		}
	}
	if len(addresses) > 0 {
		holders, err := a.lookup.Holders(ctx, addresses)
		if err != nil {
			return to, err
		}
		n.from = append(n.from, holders...)
	}
	if behind {
		learnt.To, err = a.recall(ctx, n, learnt.To)
		if learnt.To.Before(a.caughtUp) {
			a.rouse()
		}
	}
	return learnt.To, err
}

// recall takes activities for news that may not have been worked in: up to a time, or less far if there are many.
func (a *attributor) recall(ctx context.Context, n *news, until time.Time) (to time.Time, err error) {
	mine, err := a.products(ctx, nil)
	if err != nil || len(mine) == 0 {
		return until, err
	}
	activities, to, err := a.lookup.ActivitiesSince(ctx, mine, a.learntTo, until)
	for _, activity := range activities {
		n.meet(activity.Product, activity.Conversation)
		if activity.UserID != (attribution.ID{}) {
			n.act(warehouse.ProductUser{Product: activity.Product, User: activity.UserID}, activity.At)
		}
	}
	return to, err
}

// save notes the progress, now and then.
func (a *attributor) save(ctx context.Context) error {
	if time.Since(a.saved) < saveInterval {
		return nil
	}
	owned := a.service.ingestPartitions()
	a.mu.Lock()
	owned = slices.DeleteFunc(owned, func(id int32) bool { return slices.Contains(a.opened, id) }) // not resumed yet
	a.mu.Unlock()
	if len(owned) > 0 {
		if err := a.lookup.SaveProgress(ctx, a.service.config.Consumer.Group, owned, a.learntTo); err != nil {
			return err
		}
	}
	a.saved = time.Now()
	return nil
}
