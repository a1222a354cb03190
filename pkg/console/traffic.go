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
type traffic struct{ minute, day answerCache }

// Traffic is one connection's. What is not known is nil.
type Traffic struct{ LastMinute, DeadLetters *uint64 }

const (
	// minuteMaxAge and dayEvery are how old an answer may be.
	minuteMaxAge = 5 * time.Second
	dayMaxAge    = 30 * time.Second
	// firstAnswerTimeout is how long a page waits for ClickHouse. What it does not say by then is missing on the page, and comes later.
	firstAnswerTimeout = time.Second
)

func newTraffic(ctx context.Context, i *query.Client) *traffic {
	return &traffic{answerCache{ctx: ctx, maxAge: minuteMaxAge, query: i.LastMinute}, answerCache{ctx: ctx, maxAge: dayMaxAge, query: i.DeadLettersLastDay}}
}

// trafficCounts is what ClickHouse has said of all connections; nil where it has said nothing.
type trafficCounts struct{ minute, day map[string]uint64 }

// get is what is known; the error says why something is not.
func (t *traffic) get(ctx context.Context) (k trafficCounts, err error) {
	var dayErr error
	k.minute, err = t.minute.get(ctx)
	k.day, dayErr = t.day.get(ctx)
	return k, cmp.Or(err, dayErr)
}

// view puts it beside a connection.
func (k trafficCounts) view(l *connection.Listed) connectionView {
	number := func(all map[string]uint64) *uint64 {
		if all == nil {
			return nil
		}
		n := all[l.ID]
		return &n
	}
	return connectionView{Listed: *l, Traffic: Traffic{number(k.minute), number(k.day)}, HasSecret: !l.SecretHash.IsZero()}
}

// answerCache keeps the last answer to a question.
type answerCache struct {
	ctx    context.Context // of the program: an answer is for all, whoever has gone
	maxAge time.Duration
	query  func(context.Context, time.Time) (map[string]uint64, error)

	mu        sync.Mutex
	queriedAt time.Time     // when the last question began
	pending   chan struct{} // closed when its answer is there; nil if none is under way
	last      map[string]uint64
	err       error
}

// get is the last answer; nil, with an error, if ClickHouse has given none.
func (a *answerCache) get(ctx context.Context) (map[string]uint64, error) {
	a.mu.Lock()
	if a.pending == nil && time.Since(a.queriedAt) >= a.maxAge {
		a.queriedAt, a.pending = time.Now(), make(chan struct{})
		go a.refresh(a.pending)
	}
	coming, known := a.pending, a.last != nil
	a.mu.Unlock()
	if coming != nil && !known {
		select {
		case <-coming:
		case <-time.After(firstAnswerTimeout):
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

func (a *answerCache) refresh(done chan struct{}) {
	ctx, cancel := context.WithTimeout(a.ctx, pageTimeout)
	defer cancel()
	var last map[string]uint64
	err := recoverPanic(func() (err error) { last, err = a.query(ctx, time.Now()); return err })
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last, a.err, a.pending = last, err, nil; err != nil {
		a.last = nil
	}
	close(done)
}
