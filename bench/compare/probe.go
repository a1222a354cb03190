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
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/stream"
)

const (
	probeEvery      = 200 * time.Millisecond
	probePoll       = 250 * time.Millisecond // ten a second would take a tenth of two cores, in a table of millions
	probePartitions = 4                      // partitions that get probes
	probeWindow     = 2 * time.Minute        // age of the oldest probe that a query returns
)

// prober sends messages and polls outcomes for them. The time from a message's 200 until a query returns it is the
// freshness; the poll interval can add to it.
type prober struct {
	clickhouse *measure.ClickHouse
	url        string
	products   []string
	paths      []string
	client     http.Client

	mu       sync.Mutex
	sent     int
	answered map[string]time.Time // probes that are not in outcomes yet, by insert id
	fresh    *hdrhistogram.Histogram
	failed   error
}

func newProber(clickhouse *measure.ClickHouse, url string, products, paths []string) *prober {
	return &prober{clickhouse: clickhouse, url: url, products: products, paths: paths, answered: map[string]time.Time{}}
}

// probeProducts are products in different partitions.
func probeProducts(partitions int) []string {
	var products []string
	var taken []int32
	for n := 0; len(products) < min(probePartitions, partitions); n++ {
		name := fmt.Sprintf("probe-%d", n)
		if at := stream.PartitionOf(traffic.Workspace, name, int32(partitions)); !slices.Contains(taken, at) {
			taken, products = append(taken, at), append(products, name)
		}
	}
	return products
}

// during probes while a load runs, after its warm-up.
func (p *prober) during(
	ctx context.Context, config load.Config,
) (answered *load.Result, fresh *hdrhistogram.Histogram, err error) {
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

// run probes until ctx ends. A probe that is not stored by then counts with its age.
func (p *prober) run(ctx context.Context) (*hdrhistogram.Histogram, error) {
	p.fresh = hdrhistogram.New(1, int64(time.Hour/time.Millisecond), 2)
	var both sync.WaitGroup
	both.Go(func() { p.each(ctx, probeEvery, p.send) })
	both.Go(func() { p.each(ctx, probePoll, p.poll) })
	both.Wait()
	now := time.Now()
	for _, at := range p.answered {
		p.record(now.Sub(at))
	}
	return p.fresh, p.failed
}

// drain returns when all probes are in outcomes, and with them all messages that were sent before them.
func (p *prober) drain(ctx context.Context) error {
	for {
		p.poll(ctx)
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

// state returns the number of probes that are not in outcomes yet, and the first error.
func (p *prober) state() (left int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.answered), p.failed
}

func (p *prober) record(took time.Duration) {
	_ = p.fresh.RecordValue(max(1, took.Milliseconds())) // below an hour, the largest value
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
	body := fmt.Sprintf(`{"type":"track","event":"Probe","userId":"probe","messageId":%q,"timestamp":%q}`,
		id, time.Now().UTC().Format(time.RFC3339Nano))
	response, err := p.client.Post(p.url+p.paths[at], "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		p.fail(fmt.Errorf("send a probe: %w", err))
		return
	}
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection can be reused
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		p.fail(fmt.Errorf("the answer to a probe is %s", response.Status))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered["segment:"+id] = time.Now()
}

// poll queries outcomes for the probes. Queries do not overlap: a slow one delays the next, as it would for an analyst.
func (p *prober) poll(context.Context) {
	if left, _ := p.state(); left == 0 {
		return
	}
	query := fmt.Sprintf(
		"SELECT insert_id FROM outcomes WHERE product_id IN ('%s') AND event_at > now64() - INTERVAL %d SECOND",
		strings.Join(p.products, "','"),
		int(probeWindow.Seconds()),
	)
	found, err := p.clickhouse.SQL(context.Background(), database, query)
	now := time.Now()
	if err != nil {
		p.fail(fmt.Errorf("query the probes: %w", err))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range strings.Lines(found) {
		id = strings.TrimSuffix(id, "\n")
		if at, waited := p.answered[id]; waited {
			p.record(now.Sub(at))
			delete(p.answered, id)
		}
	}
}
