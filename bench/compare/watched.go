//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/parts"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/console"
	"github.com/millrace/millrace/pkg/token"
)

type watchedCommand struct {
	Shape    string        `help:"The shape of traffic: see bench/README.md." default:"batch-100"`
	Rate     float64       `help:"Events a second in an open loop; 0 is a closed one, as fast as they are answered."`
	Viewers  int           `help:"Browsers that have the connection's live view open." default:"1"`
	For      time.Duration `help:"How long a turn counts." default:"8s"`
	Warm     time.Duration `help:"How long it is sent to before that." default:"2s"`
	EdgeArgs []string      `help:"More arguments for the edge." sep:"none"`
}

const (
	unwatched   = "nobody looks"
	watched     = "the live view is open"
	watchedGoal = .97
	consoleCPU  = "console's µs/event"
	allCPU      = "edge's, broker's and console's µs/event"
	consoleMost = "console's MiB"
)

// Run measures the edge while somebody watches all that comes in, and while nobody does.
func (wc *watchedCommand) Run(ctx context.Context, c *common) error {
	dir, clean, err := c.workplace()
	if err != nil {
		return err
	}
	defer clean()
	a := &arena{edgeCommand: &edgeCommand{Rivals: []string{"none"}, For: wc.For, Warm: wc.Warm, Products: 1, EdgeArgs: wc.EdgeArgs}, common: c, dir: dir, rate: wc.Rate}
	defer a.close()
	if err := a.open(ctx); err != nil {
		return err
	}
	page, process, err := a.startConsole(ctx)
	if err != nil {
		return err
	}
	for _, s := range shapes {
		if s.name == wc.Shape {
			return wc.compare(ctx, a, s, page, process)
		}
	}
	return fmt.Errorf("there is no shape %q: see bench/README.md", wc.Shape)
}

func (wc *watchedCommand) compare(ctx context.Context, a *arena, s shape, page string, process *measure.Process) error {
	e := a.entrants[0]
	config := traffic.Config{Seed: a.common.Seed, Products: 1, Users: 100_000, EventsOnly: true, Start: time.Now(), Every: time.Millisecond}
	requests := requestsOf(traffic.New(config).Bodies(max(s.connections, bodiesFor(s.batch)), s.batch), e.path)
	if _, err := a.turn(ctx, s, e, requests, 0, rehearsal); err != nil {
		return fmt.Errorf("the rehearsal: %w", err)
	}
	turn := func(viewers int) func(context.Context) (measure.Values, error) {
		return func(ctx context.Context) (measure.Values, error) {
			stop, err := openLive(ctx, page, viewers)
			if err != nil {
				return nil, err
			}
			before, _ := process.Usage() // one that has ended is missed by who watches
			measure.ResetPeak(process.Pid())
			v, err := a.turn(ctx, s, e, requests, a.Warm, a.For)
			if seen := stop(); err == nil && viewers > 0 && seen == 0 {
				err = fmt.Errorf("nothing was to be seen in the live view")
			}
			if after, failed := process.Usage(); err == nil && failed == nil {
				v[consoleCPU] = micros(after.CPU-before.CPU, int(v[eventsPerSecond]*(a.For+a.Warm).Seconds()))
				v[allCPU] = v[cpuPerEvent] + v[brokerPerEvent] + v[consoleCPU]
				v[consoleMost] = float64(after.PeakBytes) / (1 << 20)
			}
			return v, err
		}
	}
	series, err := measure.Turns(ctx, stderr, a.common.Rounds, []measure.Contender{{Name: unwatched, Run: turn(0)}, {Name: watched, Run: turn(wc.Viewers)}})
	if err != nil {
		return err
	}
	section := a.common.section("console", "The edge while somebody watches")
	section.Raw[s.name] = series
	wc.report(section, a, s, series)
	return section.Save(a.common.Out)
}

// startConsole starts ClickHouse and a console, and returns the address of the connection's page.
func (a *arena) startConsole(ctx context.Context) (page string, process *measure.Process, err error) {
	clickhouse, err := parts.StartClickHouse(ctx, filepath.Join(a.dir, "clickhouse"), "")
	if err != nil {
		return "", nil, err
	}
	a.closers = append(a.closers, func() { _ = clickhouse.Stop() }) // the run is over
	if err = parts.Migrate(ctx, a.common.Bin, clickhouse.Addr(), database); err != nil {
		return "", nil, err
	}
	// It makes no token here, so any key will do.
	part, err := parts.StartConsole(ctx, a.common.Bin, a.dir, a.broker, "edge", clickhouse.Addr(), database, token.NewKey())
	if err != nil {
		return "", nil, err
	}
	a.closers = append(a.closers, part.Stop)
	id := strings.Split(a.entrants[0].path(0), "_")[1] // a token is mr1_, the connection's id, and what makes it a secret
	return "http://" + part.HTTP + console.Base + "/connections/" + id, part.Process, nil
}

// openLive opens the live view as a browser does: what changes, and the messages. stop tells how many messages were seen.
func openLive(ctx context.Context, page string, viewers int) (stop func() int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	var mu sync.Mutex
	seen := 0
	for range viewers {
		base, id, _ := strings.Cut(page, "/connections/")
		for _, stream := range []string{page + "/messages", base + "/connections/changes?id=" + id} {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, stream, nil)
			if err != nil {
				cancel()
				return nil, err
			}
			response, err := http.DefaultClient.Do(request)
			if err == nil && response.StatusCode != http.StatusOK {
				err = errors.New(response.Status)
			}
			if err != nil {
				cancel()
				return nil, fmt.Errorf("the console does not show %s: %w", stream, err)
			}
			reading.Go(func() {
				defer response.Body.Close()
				text, _ := io.ReadAll(response.Body) // it ends with the context
				mu.Lock()
				defer mu.Unlock()
				seen += strings.Count(string(text), "<li ")
			})
		}
	}
	return func() int { cancel(); reading.Wait(); return seen }, nil
}

func (wc *watchedCommand) report(section *measure.Section, a *arena, s shape, series []measure.Series) {
	section.Text = []string{fmt.Sprintf("%s of one product in a closed loop to the edge, on %s, while a console with ClickHouse runs beside it on the same machine: with nobody there, and with %d of its pages of the connection open.",
		strings.ToUpper(s.title[:1])+s.title[1:], a.broker.Name, wc.Viewers)}
	ratio := series[1].Ratio(series[0], eventsPerSecond)
	if wc.Rate > 0 {
		section.Text[0] = strings.Replace(section.Text[0], "in a closed loop", fmt.Sprintf("in an open loop of %s events/s", measure.Number(wc.Rate)), 1)
	}
	section.Goals = []measure.Goal{{What: "events/s with the live view open over those without", Want: "at least " + measure.Number(watchedGoal), Reached: ratio.String(), Met: ratio.Median >= watchedGoal}}
	quantities := []string{eventsPerSecond, cpuPerEvent, brokerPerEvent, consoleCPU, allCPU, p50, p99, consoleMost}
	t := measure.Table{Columns: append([]string{""}, quantities...)}
	for _, one := range series {
		row := []string{one.Name}
		for _, q := range quantities {
			row = append(row, one.Of(q).String())
		}
		t.Rows = append(t.Rows, row)
	}
	section.Tables = []measure.Table{t}
}
