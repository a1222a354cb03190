//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/pkg/console"
	"github.com/millrace/millrace/pkg/token"
)

type consoleCommand struct {
	Shape    string        `help:"The shape of traffic: see bench/README.md." default:"batch-100"`
	Rate     float64       `help:"Events a second in an open loop; 0 is a closed loop."`
	Viewers  int           `help:"Browsers that show the connection's live messages." default:"1"`
	For      time.Duration `help:"Measured time of a round." default:"8s"`
	Warm     time.Duration `help:"Warm-up time of a round, which is not measured." default:"2s"`
	EdgeArgs []string      `help:"More arguments for the edge." sep:"none"`
}

const (
	unwatched       = "no browser"
	watched         = "live messages are open"
	watchedGoal     = .97
	consolePerEvent = "console's µs/event"
	allPerEvent     = "edge's, broker's and console's µs/event"
	consoleMiB      = "console's MiB"
)

// Run measures the edge while browsers show all messages, and without browsers.
func (w *consoleCommand) Run(ctx context.Context, c *common) error {
	s, err := shapeNamed(w.Shape)
	if err != nil {
		return err
	}
	edge := &edgeCommand{Baselines: []string{"none"}, For: w.For, Warm: w.Warm, Products: 1, EdgeArgs: w.EdgeArgs}
	a, err := edge.open(ctx, c)
	if err != nil {
		return err
	}
	defer a.close()
	a.rate = w.Rate
	page, process, err := a.startConsole(ctx)
	if err != nil {
		return err
	}
	round, err := a.prepare(ctx, s, a.contenders[0])
	if err != nil {
		return err
	}
	contender := func(name string, viewers int) measure.Contender {
		return measure.Contender{Name: name, Run: func(ctx context.Context) (measure.Values, error) {
			return w.round(ctx, round, page, process, viewers)
		}}
	}
	series, err := measure.Rounds(ctx, stderr, c.Rounds, []measure.Contender{
		contender(unwatched, 0), contender(watched, w.Viewers),
	})
	if err != nil {
		return err
	}
	section := c.section("console", "The edge beside the console")
	section.Raw[s.name] = series
	w.report(section, a.broker.Name, s, series)
	return section.Save(c.Out)
}

func shapeNamed(name string) (shape, error) {
	for _, s := range shapes {
		if s.name == name {
			return s, nil
		}
	}
	return shape{}, fmt.Errorf("there is no shape %q: see bench/README.md", name)
}

// round measures a round of the edge with viewers, and the console meanwhile.
func (w *consoleCommand) round(
	ctx context.Context, edge func(context.Context) (measure.Values, error),
	page string, console *measure.Process, viewers int,
) (measure.Values, error) {
	closeViews, err := openViews(ctx, page, viewers)
	if err != nil {
		return nil, err
	}
	before, err := console.Usage()
	if err != nil {
		closeViews()
		return nil, err
	}
	measure.ResetPeak(console.Pid())
	v, err := edge(ctx)
	seen := closeViews()
	if err != nil {
		return nil, err
	}
	if viewers > 0 && seen == 0 {
		return nil, errors.New("the console showed no messages")
	}
	after, err := console.Usage()
	if err != nil {
		return nil, err
	}
	v[consolePerEvent] = micros(after.CPU-before.CPU, int(v[eventsPerSecond]*(w.For+w.Warm).Seconds()))
	v[allPerEvent] = v[cpuPerEvent] + v[brokerPerEvent] + v[consolePerEvent]
	v[consoleMiB] = mib(after.PeakBytes)
	return v, nil
}

// startConsole starts ClickHouse and a console, and returns the URL of the connection's page.
func (a *edgeComparison) startConsole(ctx context.Context) (page string, process *measure.Process, err error) {
	if err = a.startClickHouse(ctx); err != nil {
		return "", nil, err
	}
	if err = a.migrate(ctx, database); err != nil {
		return "", nil, err
	}
	// The console creates no tokens here, so any key works.
	service, err := a.services("edge").StartConsole(ctx, a.clickhouse.Addr(), database, token.NewKey())
	if err != nil {
		return "", nil, err
	}
	a.onClose(service.Stop)
	id := strings.Split(a.contenders[0].path(0), "_")[1] // a token is mr1_ID_SECRET
	return "http://" + service.HTTP + console.Base + "/connections/" + id, service.Process, nil
}

// openViews opens the streams that a browser opens for the page: the connection's changes and its messages. closeViews
// closes them and returns the number of messages that they showed.
func openViews(ctx context.Context, page string, viewers int) (closeViews func() int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	var mu sync.Mutex
	seen := 0
	base, id, _ := strings.Cut(page, "/connections/")
	for range viewers {
		for _, stream := range []string{page + "/messages", base + "/connections/changes?id=" + id} {
			response, err := getStream(ctx, stream)
			if err != nil {
				cancel()
				return nil, err
			}
			reading.Go(func() {
				defer response.Body.Close()
				text, _ := io.ReadAll(response.Body) // ends with the context
				mu.Lock()
				defer mu.Unlock()
				seen += strings.Count(string(text), "<li ")
			})
		}
	}
	return func() int { cancel(); reading.Wait(); return seen }, nil
}

func getStream(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("open %s: %s", url, response.Status)
	}
	return response, nil
}

func (w *consoleCommand) report(section *measure.Section, broker string, s shape, series []measure.Series) {
	loop := "a closed loop"
	if w.Rate > 0 {
		loop = fmt.Sprintf("an open loop of %s events/s", measure.Number(w.Rate))
	}
	section.Text = []string{fmt.Sprintf("%s of one product in %s to the edge, on %s, while a console with ClickHouse runs on "+
		"the same machine: without a browser, and with %d browsers on the connection's page.",
		strings.ToUpper(s.title[:1])+s.title[1:], loop, broker, w.Viewers)}
	section.Goals = []measure.Goal{measure.AtLeast("events/s with live messages open over those without", watchedGoal,
		series[1].Ratio(series[0], eventsPerSecond))}
	section.Tables = []measure.Table{measure.TableOf("", series, []string{
		eventsPerSecond, cpuPerEvent, brokerPerEvent, consolePerEvent, allPerEvent, p50, p99, consoleMiB,
	})}
}
