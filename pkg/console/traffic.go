package console

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/console/query"
)

// traffic is what ClickHouse knows of connections. All who look at it share one answer, so that a hundred open pages cost it no more
// than one, and nobody waits for it for long.
type traffic struct{ minute, day answers }

// Traffic is one connection's. What is not known is nil.
type Traffic struct{ LastMinute, DeadLetters *uint64 }

const (
	// minuteEvery and dayEvery are how old an answer may be.
	minuteEvery = 5 * time.Second
	dayEvery    = 30 * time.Second
	// firstAnswer is how long a page waits for ClickHouse. What it does not say by then is missing on the page, and comes later.
	firstAnswer = time.Second
)

func newTraffic(ctx context.Context, i *query.Insight) *traffic {
	return &traffic{answers{ctx: ctx, every: minuteEvery, ask: i.LastMinute}, answers{ctx: ctx, every: dayEvery, ask: i.LettersOfDay}}
}

// known is what ClickHouse has said of all connections; nil where it has said nothing.
type known struct{ minute, day map[string]uint64 }

// get is what is known; the error says why something is not.
func (t *traffic) get(ctx context.Context) (k known, err error) {
	var dayErr error
	k.minute, err = t.minute.get(ctx)
	k.day, dayErr = t.day.get(ctx)
	return k, cmp.Or(err, dayErr)
}

// listed puts it beside a connection.
func (k known) listed(l *connection.Listed) listed {
	number := func(all map[string]uint64) *uint64 {
		if all == nil {
			return nil
		}
		n := all[l.ID]
		return &n
	}
	return listed{Listed: *l, Traffic: Traffic{number(k.minute), number(k.day)}, HasSecret: !l.SecretHash.IsZero()}
}

// answers keeps the last answer to a question.
type answers struct {
	ctx   context.Context // of the program: an answer is for all, whoever has gone
	every time.Duration
	ask   func(context.Context, time.Time) (map[string]uint64, error)

	mu     sync.Mutex
	asked  time.Time     // when the last question began
	coming chan struct{} // closed when its answer is there; nil if none is under way
	last   map[string]uint64
	err    error
}

// get is the last answer; nil, with an error, if ClickHouse has given none.
func (a *answers) get(ctx context.Context) (map[string]uint64, error) {
	a.mu.Lock()
	if a.coming == nil && time.Since(a.asked) >= a.every {
		a.asked, a.coming = time.Now(), make(chan struct{})
		go a.renew(a.coming)
	}
	coming, known := a.coming, a.last != nil
	a.mu.Unlock()
	if coming != nil && !known {
		select {
		case <-coming:
		case <-time.After(firstAnswer):
		case <-ctx.Done():
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil && a.err == nil {
		return nil, errors.New("it has not answered yet")
	}
	return a.last, a.err
}

func (a *answers) renew(done chan struct{}) {
	ctx, cancel := context.WithTimeout(a.ctx, asked)
	defer cancel()
	var last map[string]uint64
	err := answered(func() (err error) { last, err = a.ask(ctx, time.Now()); return err })
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last, a.err, a.coming = last, err, nil; err != nil {
		a.last = nil
	}
	close(done)
}
