package console

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/stream"
)

// replays are the replays started by this process. They stop with it; records written by then stay in the log, and
// writing them again changes nothing.
type replays struct {
	ctx     context.Context
	client  *stream.Client
	running prometheus.Gauge

	mu  sync.Mutex
	all map[string]*runningReplay
}

const (
	// maxRunningReplays limits concurrent replays; maxKeptReplays those with a page.
	maxRunningReplays = 2
	maxKeptReplays    = 100
	// maxChosen limits the dead letters chosen one by one.
	maxChosen = 1000
)

type runningReplay struct {
	ID     string
	What   string
	replay *stream.Replay
	began  time.Time
	done   chan struct{}
	took   time.Duration
	err    error
}

func newReplays(ctx context.Context, client *stream.Client, gauge prometheus.Gauge) *replays {
	return &replays{ctx: ctx, client: client, running: gauge, all: map[string]*runningReplay{}}
}

// start runs a replay in the background.
func (s *replays) start(what string, config stream.ReplayConfig, spans []stream.OffsetRange) (*runningReplay, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	busy := 0
	for id, r := range s.all {
		select {
		case <-r.done:
			if len(s.all) >= maxKeptReplays {
				delete(s.all, id)
			}
		default:
			busy++
		}
	}
	if busy >= maxRunningReplays {
		return nil, inputError(fmt.Sprintf("%d replays are running, which is the limit: wait for one to end", busy))
	}
	replay, err := s.client.NewReplay(config, spans)
	if err != nil {
		return nil, err
	}
	r := &runningReplay{
		ID:     strings.ToLower(rand.Text()[:10]),
		What:   what,
		replay: replay,
		began:  time.Now(),
		done:   make(chan struct{}),
	}
	s.all[r.ID] = r
	s.running.Inc()
	go func() {
		defer close(r.done)
		defer s.running.Dec()
		defer replay.Close()
		defer func() {
			if panicked := recover(); panicked != nil {
				r.err = fmt.Errorf("BUG: it panicked: %T", panicked)
			}
		}()
		r.err = replay.Run(s.ctx)
		r.took = time.Since(r.began)
	}()
	return r, nil
}

func (s *replays) get(id string) *runningReplay {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id]
}

// startReplay replays the chosen dead letters, or all of a reason.
func (c *Console) startReplay(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := pageContext(r)
	defer cancel()
	what, config, spans, err := c.selection(ctx, r)
	if err == nil && len(spans) == 0 {
		err = inputError("Kafka has none of the chosen dead letters")
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	started, err := c.replays.start(what, config, spans)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	http.Redirect(w, r, Base+"/replays/"+started.ID, http.StatusSeeOther)
}

func (c *Console) selection(
	ctx context.Context,
	r *http.Request,
) (what string, config stream.ReplayConfig, spans []stream.OffsetRange, err error) {
	letters := c.deps.Stream.Topics().DeadLetters
	if chosen := r.PostForm["dead-letter"]; r.PostForm.Get("which") == "chosen" {
		if len(chosen) > maxChosen {
			return "", config, nil, inputError(
				fmt.Sprintf("%d dead letters are chosen; the limit is %d", len(chosen), maxChosen),
			)
		}
		for _, at := range chosen {
			p, ok := stream.ParseCoordinates([]byte(at))
			if !ok || p.Topic != letters {
				return "", config, nil, inputError("a chosen value is not a dead letter")
			}
			config.Only = append(config.Only, p)
		}
		spans, err = c.deps.Stream.OffsetRangesOf(ctx, config.Only)
		return plural(len(chosen), "chosen dead letter"), config, spans, err
	}
	within, _, err := parseRange(r.PostForm, "24h")
	if err != nil {
		return "", config, nil, err
	}
	reason := r.PostForm.Get("reason")
	config.Reasons = []string{reason}
	what = "dead letters because of " + reason
	if product := r.PostForm.Get("product"); product != "" {
		config.Products = []string{product}
		what += " of product " + product
	}
	spans, err = c.deps.Stream.OffsetRanges(ctx, &stream.ReplayRange{Topics: []string{letters}, From: within.From})
	return what, config, spans, err
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return count(n) + " " + what + "s"
}

// replayBody is the progress of a replay.
type replayBody struct {
	ID, What                string
	Done                    bool
	Problem                 string
	Total, Read             int64
	Written, Covered, Large int64
	Took                    string
}

func (r *runningReplay) body() replayBody {
	done := false
	select {
	case <-r.done:
		done = true // before the counts are read, so that they are final
	default:
	}
	p := r.replay.Progress()
	b := replayBody{
		ID:      r.ID,
		What:    r.What,
		Done:    done,
		Total:   p.Total,
		Read:    p.Read,
		Written: p.Verdicts[stream.Selected],
		Covered: p.Verdicts[stream.AlreadySelected],
		Large:   p.Verdicts[stream.TooLarge],
		Took:    time.Since(r.began).Round(time.Second).String(),
	}
	if done {
		b.Took = r.took.Round(10 * time.Millisecond).String()
		if r.err != nil {
			b.Problem = r.err.Error()
		}
	}
	return b
}

func (c *Console) replay(w http.ResponseWriter, r *http.Request) {
	running := c.replays.get(r.PathValue("id"))
	if running == nil {
		c.notFound(w, r)
		return
	}
	c.show(w, r, http.StatusOK, "replay", "dead-letters", "Replay", running.body())
}

// replayProgress streams the progress until the replay has ended.
func (c *Console) replayProgress(ctx context.Context, stream *eventStream, r *http.Request) {
	running := c.replays.get(r.PathValue("id"))
	if running == nil {
		_ = stream.send("done", "") // started by another process; its page is not found either
		return
	}
	ticker := time.NewTicker(replayInterval)
	defer ticker.Stop()
	for {
		body := running.body()
		html, err := c.fragment("replay", "progress", body)
		if err != nil || stream.send("progress", html) != nil {
			return
		}
		if body.Done {
			_ = stream.send("done", "") // the browser may have disconnected
			return
		}
		select {
		case <-ticker.C:
		case <-running.done:
		case <-ctx.Done():
			return
		}
	}
}

// replayInterval is the interval of progress events.
const replayInterval = 300 * time.Millisecond
