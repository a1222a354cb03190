package attribution

import (
	"context"
	"time"
)

// preload loads all claims into the cache if they fit. Look-ups for a backlog would cost ClickHouse nearly as much as
// its inserts. pullLoop merges what other loaders write from now on.
func (a *Service) preload(ctx context.Context) (done bool) {
	start := time.Now()
	complete, err := a.loadClaims(ctx)
	if err != nil {
		a.reportRetry(ctx, "preload", err)
		return false
	}
	a.log.Debug("users preloaded", "complete", complete, "took", time.Since(start))
	return true
}

func (a *Service) loadClaims(ctx context.Context) (complete bool, err error) {
	watermark, err := a.lookup.Watermark(ctx)
	if err != nil {
		return false, err
	}
	a.mu.Lock()
	if a.pulledUntil.IsZero() {
		a.pulledUntil = watermark
	}
	a.mu.Unlock()
	p := a.identities.Preload()
	fit, err := a.lookup.AllClaims(ctx, a.identities.Capacity(), p.Addresses, p.ExternalIDs)
	return fit && err == nil && p.Complete(), err
}

// awaitPreload waits for the first attempt to preload, whether it succeeded or not: without it, users are looked up.
func (a *Service) awaitPreload(ctx context.Context) error {
	select {
	case <-a.preloaded:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
