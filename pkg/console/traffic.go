package console

import (
	"context"
	"sync"
	"time"

	"github.com/millrace/millrace/pkg/console/insight"
)

// traffic is what ClickHouse knows of connections. All who look at it share one answer, so that a hundred open pages cost it no more
// than one.
type traffic struct {
	insight *insight.Insight

	mu    sync.Mutex
	asked time.Time
	last  insight.Activity
	err   error
}

// trafficEvery is how old an answer may be.
const trafficEvery = 5 * time.Second

func (t *traffic) get(ctx context.Context) (insight.Activity, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.asked) >= trafficEvery {
		t.last, t.err = t.insight.Lately(ctx, now)
		t.asked = now
		if ctx.Err() != nil {
			t.asked = time.Time{} // who asked has gone: it says nothing about ClickHouse
		}
	}
	return t.last, t.err
}
