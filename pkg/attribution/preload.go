package attribution

import (
	"context"
	"time"
)

// preload takes up what has been said of users before, if it fits into the cache: to ask for those of a backlog, as they come,
// costs ClickHouse nearly as much as to insert it. What others write from now on is heard of, for this is done by who listens.
func (a *Service) preload(ctx context.Context) (done bool) {
	start := time.Now()
	complete, err := a.takeUp(ctx)
	if err != nil {
		a.complain(ctx, "preload", err)
		return false
	}
	a.log.Debug("users preloaded", "complete", complete, "took", time.Since(start))
	return true
}

func (a *Service) takeUp(ctx context.Context) (complete bool, err error) {
	settled, err := a.lookup.SafeTime(ctx)
	if err != nil {
		return false, err
	}
	a.mu.Lock()
	if a.learntTo.IsZero() {
		a.learntTo = settled
	}
	a.mu.Unlock()
	p := a.identities.Preload()
	fit, err := a.lookup.AllClaims(ctx, a.identities.Capacity(), p.Addresses, p.ExternalIDs)
	return fit && err == nil && p.Complete(), err
}

// awaitPreload waits until a preload has been tried: not for one that works, for whom it would have made known can be asked for.
func (a *Service) awaitPreload(ctx context.Context) error {
	select {
	case <-a.preloaded:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
