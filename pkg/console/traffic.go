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

// traffic has counts of connections from ClickHouse. All pages share one answer, so the load does not grow with the
// number of open pages.
type traffic struct{ minute, day answerCache }

// Traffic has the counts of one connection. nil means unknown.
type Traffic struct{ LastMinute, DeadLetters *uint64 }

const (
	// minuteMaxAge and dayMaxAge limit the age of an answer.
	minuteMaxAge = 5 * time.Second
	dayMaxAge    = 30 * time.Second
	// firstAnswerTimeout limits how long a page waits for the first answer. Later answers arrive by the stream.
	firstAnswerTimeout = time.Second
)

func newTraffic(ctx context.Context, i *query.Client) *traffic {
	return &traffic{
		answerCache{ctx: ctx, maxAge: minuteMaxAge, query: i.LastMinute},
		answerCache{ctx: ctx, maxAge: dayMaxAge, query: i.DeadLettersLastDay},
	}
}

// trafficCounts are the counts of all connections; nil maps are unknown.
type trafficCounts struct{ minute, day map[string]uint64 }

// get returns the known counts, and an error if some are unknown.
func (t *traffic) get(ctx context.Context) (k trafficCounts, err error) {
	var dayErr error
	k.minute, err = t.minute.get(ctx)
	k.day, dayErr = t.day.get(ctx)
	return k, cmp.Or(err, dayErr)
}

// view adds the counts to a connection.
func (k trafficCounts) view(l *connection.Listed) connectionView {
	number := func(all map[string]uint64) *uint64 {
		if all == nil {
			return nil
		}
		n := all[l.ID]
		return &n
	}
	return connectionView{
		Listed:    *l,
		Traffic:   Traffic{number(k.minute), number(k.day)},
		HasSecret: !l.SecretHash.IsZero(),
	}
}

// answerCache keeps the last answer to a query.
type answerCache struct {
	ctx    context.Context // of the program: the answer is shared, so a page's end must not cancel the query
	maxAge time.Duration
	query  func(context.Context, time.Time) (map[string]uint64, error)

	mu        sync.Mutex
	queriedAt time.Time     // start of the last query
	pending   chan struct{} // closed at the end of the running query; nil if none runs
	last      map[string]uint64
	err       error
}

// get returns the last answer, or nil and an error if there is none.
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
		return nil, errors.New("no answer yet")
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
