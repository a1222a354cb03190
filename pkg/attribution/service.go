package attribution

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Service resolves the batches of all partition workers, and revises stored rows after identity changes. All that it
// does is idempotent, and may be done in part: ClickHouse holds what a process loses, and the next owner reads it from
// there.
type Service struct {
	config         Config
	host           Host
	log            *slog.Logger
	metrics        *metrics
	identities     *identity.Identities
	lookup         *warehouse.Lookup
	activeProducts activeProducts
	writer         atomic.Uint64 // marks this process's rows; see renewWriter
	preloaded      chan struct{} // closed after the first attempt to preload
	pullNow        chan struct{} // wakes pullLoop
	reviseNow      chan struct{} // wakes reviseLoop

	mu          sync.Mutex
	owned       map[int32]*partitionProducts // by ingest partition that this loader owns
	queues      map[string]*workspaceQueue   // by workspace that has changes
	deferred    []warehouse.IdempotentBlock  // blocks whose worker stopped before it wrote them
	toRewind    []int32                      // partitions assigned since pullLoop last rewound
	pulledUntil time.Time                    // changes written before are queued or applied

	flushing sync.Mutex // held while deferred blocks are written

	// Only pullLoop uses these.
	replayUntil time.Time // changes up to here are pulled from all writers, this process included
	assignedAt  time.Time // ClickHouse's time of the last assignment; zero when predecessors cannot revise any more
	savedAt     time.Time
	pulledAt    time.Time
}

const (
	concurrentPasses = 2
	minPause         = 200 * time.Millisecond // after each pass
	pausePerPass     = 4                      // the pause after a pass, as a multiple of its duration
	pollInterval     = 3 * time.Second        // between two pulls of remote changes
	saveInterval     = 10 * time.Second       // between two writes of progress
)

// New builds the service and registers its metrics. Start runs its background work.
func New(config Config, deps Deps) *Service {
	a := &Service{
		config: config, host: deps.Host, lookup: deps.Lookup, log: deps.Log,
		identities: identity.NewIdentities(config.IdentityCache),
		preloaded:  make(chan struct{}), pullNow: make(chan struct{}, 1), reviseNow: make(chan struct{}, 1),
		owned: map[int32]*partitionProducts{}, queues: map[string]*workspaceQueue{},
	}
	a.writer.Store(rand.Uint64())
	a.metrics = newMetrics(deps.Metrics, a)
	return a
}

// Start runs the background work until ctx ends or stop is called. stop waits for its end.
func (a *Service) Start(ctx context.Context) (stop func()) {
	if !a.config.Enabled {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.pullLoop(ctx) })
	for range concurrentPasses {
		running.Go(func() { a.reviseLoop(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// PartitionsAssigned makes this loader the owner of partitions, before their first batch. Changes since their stored
// progress are replayed.
func (a *Service) PartitionsAssigned(partitions []stream.Partition) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range partitions {
		if p.Topic == a.config.Topic {
			a.owned[p.ID] = newPartitionProducts(&a.activeProducts)
			a.toRewind = append(a.toRewind, p.ID)
		}
	}
	signal(a.pullNow)
}

// PartitionsRevoked ends the ownership of partitions: their stored rows are not revised any more. Batches of them may
// still be resolved and completed.
func (a *Service) PartitionsRevoked(partitions []stream.Partition) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range partitions {
		if p.Topic == a.config.Topic {
			delete(a.owned, p.ID)
		}
	}
}

// ownedPartitions returns the ingest partitions that this loader owns.
func (a *Service) ownedPartitions() []int32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Keys(a.owned))
}

func (a *Service) productsOf(p stream.Partition) *partitionProducts {
	a.mu.Lock()
	defer a.mu.Unlock()
	if products := a.owned[p.ID]; products != nil {
		return products
	}
	return newPartitionProducts(&a.activeProducts) // the partition was revoked
}

// enqueue queues changes. Their claims and activities are written, or deferred.
func (a *Service) enqueue(set changeSet) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for workspace, n := range set {
		if !n.empty() {
			a.queueOf(workspace).push(n, time.Now(), a.pulledUntil)
		}
	}
	a.limitQueues()
	signal(a.reviseNow)
}

// deferWrite leaves blocks to pullLoop, and queues the changes that they bring.
func (a *Service) deferWrite(blocks []warehouse.IdempotentBlock, set changeSet) {
	a.mu.Lock()
	a.deferred = append(a.deferred, blocks...)
	a.mu.Unlock()
	a.enqueue(set)
	signal(a.pullNow)
}

// flushDeferred writes the deferred blocks. After an error the rest stays deferred.
func (a *Service) flushDeferred(ctx context.Context) error {
	a.flushing.Lock()
	defer a.flushing.Unlock()
	a.mu.Lock()
	blocks := a.deferred
	a.deferred = nil
	a.mu.Unlock()
	for i, block := range blocks {
		if err := a.insert(ctx, block); err != nil {
			a.mu.Lock()
			a.deferred = append(a.deferred, blocks[i:]...)
			a.mu.Unlock()
			return err
		}
	}
	return nil
}

// insert writes a block. While an insert is in progress, no loader pulls changes that were written after its start.
func (a *Service) insert(ctx context.Context, block warehouse.IdempotentBlock) error {
	took, err := a.lookup.Insert(ctx, block)
	if took > a.lookup.VisibilityDelay()/2 {
		a.metrics.slowInserts.Inc()
		a.log.Warn("an insert of identity changes is slow and delays the re-attribution of all loaders",
			"took", took, "error", err)
	}
	return err
}

// pullLoop preloads the cache, and queues changes from ClickHouse until ctx ends.
func (a *Service) pullLoop(ctx context.Context) {
	done := a.preload(ctx)
	close(a.preloaded)
	for ctx.Err() == nil {
		start := time.Now()
		done = done || a.preload(ctx)
		if err := a.pull(ctx); err != nil {
			a.reportRetry(ctx, "pull_changes", err)
		}
		sleep(ctx, max(minPause, pausePerPass*time.Since(start)))
		waitFor(ctx, a.pullNow, pollInterval)
	}
}

// reviseLoop applies queued changes to stored rows until ctx ends.
func (a *Service) reviseLoop(ctx context.Context) {
	for ctx.Err() == nil {
		queues, wait := a.nextPass(time.Now())
		if len(queues) == 0 {
			waitFor(ctx, a.reviseNow, wait)
			continue
		}
		start := time.Now()
		if err := a.runPass(ctx, queues); err != nil {
			a.reportRetry(ctx, "reattribute", err)
		}
		took := time.Since(start)
		a.metrics.pass.Observe(took.Seconds())
		sleep(ctx, max(minPause, pausePerPass*took))
	}
}

func (a *Service) reportRetry(ctx context.Context, operation string, err error) {
	if ctx.Err() == nil {
		a.host.Retrying(operation, err)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// waitFor waits for a signal, at most d.
func waitFor(ctx context.Context, c chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func sleep(ctx context.Context, d time.Duration) { waitFor(ctx, nil, d) }
