package embedded

import (
	"context"
	"time"
)

// Waiting times before the engine is started again: doubled while it keeps ending, and small again once
// it has stayed up for a while.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 10 * time.Second
	stableAfter  = 30 * time.Second
)

// watch starts the engine again, on the same ports and data, until Close.
func (c *ClickHouse) watch() {
	defer close(c.watched)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-c.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	backoff, since := firstBackoff, time.Now()
	for {
		p := c.current()
		select {
		case <-c.closing:
			return
		case <-p.Ended():
		}
		if time.Since(since) > stableAfter {
			backoff = firstBackoff
		}
		c.logger.Warn("ClickHouse ended, starting it again", "state", p.State(), "after", backoff, "output", p.Output())
		backoff = c.relaunch(ctx, backoff)
		since = time.Now()
	}
}

// relaunch tries until the engine answers or ctx ends, and returns the next waiting time.
func (c *ClickHouse) relaunch(ctx context.Context, backoff time.Duration) time.Duration {
	for {
		select {
		case <-ctx.Done():
			return backoff
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, lastBackoff)
		p, err := c.launch(ctx)
		if err != nil {
			c.logger.Error("ClickHouse does not start", "error", err, "next_try_after", backoff)
			continue
		}
		c.mu.Lock()
		c.process = p
		c.mu.Unlock()
		c.restarts.Add(1)
		c.logger.Info("ClickHouse is back", "pid", p.Pid())
		return backoff
	}
}
