package attribution

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Service is what the lanes share to find out whom events are about, and what works news into events
// that are stored already. What it does can be done twice, and half: whatever is lost with the process is in
// ClickHouse, and is learnt again from there.
type Service struct {
	config     Config
	host       Host
	log        *slog.Logger
	metrics    *metrics
	identities *identity.Identities
	lookup     *warehouse.Lookup
	conversing conversing
	writer     uint64        // of what is learnt
	preloaded  chan struct{} // closed when a preload has been tried
	wake       chan struct{} // there is something to learn
	work       chan struct{} // there are news to work in
	resting    time.Duration // passShare, but for tests

	mu       sync.Mutex
	owned    map[int32]*products         // ingest partitions that this loader has, and what their workers have seen
	desks    map[string]*desk            // of workspaces that have news
	owed     []warehouse.IdempotentBlock // learnt by lanes that were given up before they could write it down
	opened   []int32                     // partitions that have come since they were last looked at
	learntTo time.Time                   // what other loaders have written up to here is on the desks, or worked in

	paying sync.Mutex // held while what is owed is written down

	// Of the goroutine that learns:
	caughtUp time.Time // up to here, also what this process may have left undone in an earlier life
	taken    time.Time // when the last partition came, by ClickHouse's clock; zero once that is worked in
	saved    time.Time
	polled   time.Time
}

// New builds the service; Start runs its background work.
func New(config Config, deps Deps) *Service {
	a := &Service{config: config, host: deps.Host, lookup: deps.Lookup, log: deps.Log, writer: rand.Uint64(),
		identities: identity.NewIdentities(config.IdentityCache), owned: map[int32]*products{}, preloaded: make(chan struct{}),
		wake: make(chan struct{}, 1), work: make(chan struct{}, 1), resting: passShare, desks: map[string]*desk{}}
	a.metrics = newMetrics(deps.Metrics, a)
	return a
}

// PartitionsAssigned makes this loader the owner of partitions, before their first batch. It has their events looked
// through for what has been learnt since their last loader did.
func (a *Service) PartitionsAssigned(partitions []stream.Partition) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range partitions {
		if p.Topic == a.config.Topic {
			a.owned[p.ID] = newProducts(a)
			a.opened = append(a.opened, p.ID)
		}
	}
	rouse(a.wake)
}

// PartitionsRevoked ends the ownership of partitions. Batches of them may still be completed.
func (a *Service) PartitionsRevoked(partitions []stream.Partition) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range partitions {
		if p.Topic == a.config.Topic {
			delete(a.owned, p.ID)
		}
	}
}

// ownedPartitions returns the ingest partitions that this loader has.
func (a *Service) ownedPartitions() []int32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Keys(a.owned))
}

// productsOf returns what has been seen of a partition, whose worker alone uses it.
func (a *Service) productsOf(p stream.Partition) *products {
	a.mu.Lock()
	defer a.mu.Unlock()
	if seen := a.owned[p.ID]; seen != nil {
		return seen
	}
	return newProducts(a) // it is revoked meanwhile
}

// announce has news worked in. They are written down, or owed.
func (a *Service) announce(of newsOf) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for workspace, n := range of {
		if !n.empty() {
			a.deskOf(workspace).put(n, time.Now(), a.learntTo)
		}
	}
	a.bound()
	rouse(a.work)
}

func rouse(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// owe has what a lane has learnt written down without it.
func (a *Service) owe(blocks []warehouse.IdempotentBlock, n newsOf) {
	a.mu.Lock()
	a.owed = append(a.owed, blocks...)
	a.mu.Unlock()
	a.announce(n)
	rouse(a.wake)
}

// payBack writes down what is owed.
func (a *Service) payBack(ctx context.Context) error {
	a.paying.Lock()
	defer a.paying.Unlock()
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

const (
	passesAtOnce = 2                      // passes at the same time;
	passPause    = 200 * time.Millisecond // and after each there is a pause, at least so long
	passShare    = 4                      // and as many times as long as the pass took, so that they do not live off the server
	pollInterval = 3 * time.Second        // how often what others have learnt is read
	saveInterval = 10 * time.Second       // how often progress is
)

// Start runs the background work until ctx ends or stop is called.
func (a *Service) Start(ctx context.Context) (stop func()) {
	if !a.config.Enabled {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.keepLearning(ctx) })
	for range passesAtOnce {
		running.Go(func() { a.keepWorking(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// keepLearning finds news until ctx ends.
func (a *Service) keepLearning(ctx context.Context) {
	known := a.preload(ctx)
	close(a.preloaded)
	for ctx.Err() == nil {
		start := time.Now()
		known = known || a.preload(ctx)
		if err := a.learn(ctx); err != nil {
			a.complain(ctx, "pull_changes", err)
		}
		sleep(ctx, max(passPause, passShare*time.Since(start)))
		await(ctx, a.wake, pollInterval)
	}
}

// keepWorking works news in until ctx ends.
func (a *Service) keepWorking(ctx context.Context) {
	for ctx.Err() == nil {
		desks, wait := a.pick(time.Now())
		if len(desks) == 0 {
			await(ctx, a.work, wait)
			continue
		}
		start := time.Now()
		if err := a.pass(ctx, desks); err != nil {
			a.complain(ctx, "reattribute", err)
		}
		took := time.Since(start)
		a.metrics.pass.Observe(took.Seconds())
		sleep(ctx, max(passPause, a.resting*took))
	}
}

func (a *Service) complain(ctx context.Context, operation string, err error) {
	if ctx.Err() == nil {
		a.host.Retrying(operation, err)
	}
}

// await waits for a call, or for d.
func await(ctx context.Context, call chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-call:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func sleep(ctx context.Context, d time.Duration) { await(ctx, nil, d) }
