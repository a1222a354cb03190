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

	mu          sync.Mutex
	minute, day answer
}

// answer is one that is kept for a while.
type answer struct {
	asked time.Time
	last  insight.Activity
	err   error
}

// How old an answer may be: that about a day reads as many rows as there were in it.
const (
	minuteEvery = 5 * time.Second
	dayEvery    = time.Minute
)

// get is what connections have sent in the last minute, and their dead letters of the last day.
func (t *traffic) get(ctx context.Context) (map[string]insight.ConnectionActivity, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.minute.renew(ctx, minuteEvery, t.insight.LastMinute)
	t.day.renew(ctx, dayEvery, t.insight.LastDay)
	if t.minute.err != nil {
		return nil, t.minute.err
	}
	all := map[string]insight.ConnectionActivity{}
	for id, a := range t.day.last.Connections { // without an answer there are none: to know the minute is better than nothing
		all[id] = insight.ConnectionActivity{DeadLetters: a.DeadLetters}
	}
	for id, a := range t.minute.last.Connections {
		all[id] = insight.ConnectionActivity{LastMinute: a.LastMinute, DeadLetters: all[id].DeadLetters}
	}
	return all, t.day.err
}

func (a *answer) renew(ctx context.Context, every time.Duration, ask func(context.Context, time.Time) (insight.Activity, error)) {
	now := time.Now()
	if now.Sub(a.asked) < every {
		return
	}
	if a.last, a.err = ask(ctx, now); ctx.Err() == nil { // who asked may have gone: that says nothing about ClickHouse
		a.asked = now
	}
}
