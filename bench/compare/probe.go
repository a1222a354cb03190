//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/millrace/millrace/bench/load"
	"github.com/millrace/millrace/bench/parts"
	"github.com/millrace/millrace/pkg/stream"
)

const (
	probeEvery   = 200 * time.Millisecond
	probePoll    = 250 * time.Millisecond // ten a second would take a tenth of two cores, in a table of millions
	probesAt     = 4                      // partitions whose freshness is watched
	probeLookFor = 2 * time.Minute        // how far back outcomes are asked for
)

// prober sends a message now and then and looks for it in outcomes. How long it takes from the 200 until a query that
// returned had it is how fresh outcomes are; it is as much as a poll's distance too long.
type prober struct {
	clickhouse *parts.ClickHouse
	url        string
	products   []string
	paths      []string
	client     http.Client

	mu       sync.Mutex
	sent     int
	answered map[string]time.Time // those that are not in outcomes yet, by insert id
	fresh    *hdrhistogram.Histogram
	failed   error
}

func newProber(clickhouse *parts.ClickHouse, url string, products, paths []string) *prober {
	return &prober{clickhouse: clickhouse, url: url, products: products, paths: paths, answered: map[string]time.Time{}}
}

// probeProducts are some in different partitions.
func probeProducts(partitions int) []string {
	var products []string
	var taken []int32
	for n := 0; len(products) < min(probesAt, partitions); n++ {
		name := fmt.Sprintf("probe-%d", n)
		if at := stream.PartitionOf(name, int32(partitions)); !slices.Contains(taken, at) {
			taken, products = append(taken, at), append(products, name)
		}
	}
	return products
}

// during probes while a load runs, once that is warm.
func (p *prober) during(ctx context.Context, config load.Config) (answered *load.Result, fresh *hdrhistogram.Histogram, err error) {
	probing, stop := context.WithCancel(ctx)
	defer stop()
	loaded := make(chan error, 1)
	go func() {
		defer stop()
		var err error
		answered, err = load.Run(ctx, config)
		loaded <- err
	}()
	time.Sleep(config.Warm)
	fresh, err = p.run(probing)
	return answered, fresh, cmp.Or(<-loaded, err)
}

// run probes until ctx ends; what takes longer than that counts with what it has taken by then.
func (p *prober) run(ctx context.Context) (*hdrhistogram.Histogram, error) {
	p.fresh = hdrhistogram.New(1, int64(time.Hour/time.Millisecond), 2)
	var both sync.WaitGroup
	both.Go(func() { p.each(ctx, probeEvery, p.send) })
	both.Go(func() { p.each(ctx, probePoll, p.look) })
	both.Wait()
	now := time.Now()
	for _, at := range p.answered {
		p.note(now.Sub(at))
	}
	return p.fresh, p.failed
}

// drain returns when all probes are in outcomes, and so what was sent before them.
func (p *prober) drain(ctx context.Context) error {
	for {
		p.look(ctx)
		if left, err := p.state(); err != nil || left == 0 || ctx.Err() != nil {
			return err
		}
		time.Sleep(probePoll)
	}
}

func (p *prober) each(ctx context.Context, every time.Duration, do func(context.Context)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if _, err := p.state(); err != nil {
			return
		}
		do(ctx)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// state is how many probes are not in outcomes yet, and what went wrong.
func (p *prober) state() (left int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.answered), p.failed
}

func (p *prober) note(took time.Duration) {
	_ = p.fresh.RecordValue(max(1, took.Milliseconds())) // below an hour
}

func (p *prober) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = err
	}
}

func (p *prober) send(context.Context) {
	id := fmt.Sprintf("probe-%d-%d", time.Now().UnixNano(), p.sent)
	at := p.sent % len(p.products)
	p.sent++
	body := fmt.Sprintf(`{"type":"track","event":"Probe","userId":"probe","messageId":%q,"timestamp":%q}`, id, time.Now().UTC().Format(time.RFC3339Nano))
	response, err := p.client.Post(p.url+p.paths[at], "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		p.fail(fmt.Errorf("send a probe: %w", err))
		return
	}
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection is used again
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		p.fail(fmt.Errorf("a probe was answered with %s", response.Status))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered["segment:"+id] = time.Now()
}

// look asks outcomes for what was sent lately. It is one query at a time: one that is slow makes them staler, as it would for an analyst.
func (p *prober) look(context.Context) {
	if left, _ := p.state(); left == 0 {
		return
	}
	query := fmt.Sprintf("SELECT insert_id FROM outcomes WHERE product_id IN ('%s') AND event_at > now64() - INTERVAL %d SECOND",
		strings.Join(p.products, "','"), int(probeLookFor.Seconds()))
	found, err := p.clickhouse.SQL(context.Background(), database, query)
	now := time.Now()
	if err != nil {
		p.fail(fmt.Errorf("look for probes: %w", err))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range strings.Lines(found) {
		id = strings.TrimSuffix(id, "\n")
		if at, waited := p.answered[id]; waited {
			p.note(now.Sub(at))
			delete(p.answered, id)
		}
	}
}
