//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/bench/load"
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/parts"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/token"
)

type freshnessCommand struct {
	Rate       float64       `help:"Events a second of the long run; 0 is the highest that the search finds."`
	For        time.Duration `help:"How long the long run lasts." default:"5m"`
	Half       time.Duration `help:"How long the run at half of that rate lasts." default:"1m"`
	Step       time.Duration `help:"How long a step of the search lasts." default:"25s"`
	From       float64       `help:"Where the search begins." default:"30000"`
	Batch      int           `help:"Messages in a request." default:"100"`
	Partitions int           `help:"Partitions of the topic." default:"8"`
	Products   int           `help:"Products, each with a connection of its own." default:"32"`
	LoaderArgs []string      `help:"More arguments for the loader." sep:"none"`
}

const (
	database       = "millrace"
	freshGoal      = 2 * time.Second // which the 99th percentile has to stay under
	openConns      = 64              // connections of the open loop: more than are ever busy at a rate that is kept up with
	searchFactor   = 1.3             // from a step that is kept up with to the next
	searchHalvings = 2               // of the distance to the first that is not
	searchChances  = 2
	keptUp         = .995 // share of the requests due that have to be answered in time
)

// station is everything at once.
type station struct {
	*freshnessCommand
	common     *common
	dir        string
	broker     *parts.Broker
	clickhouse *parts.ClickHouse
	edge       *parts.Part
	loader     *parts.Part
	requests   []*load.Request
	prober     *prober
	closers    []func()
}

// Run looks for the highest rate at which outcomes are fresh, and holds it for a while.
func (f *freshnessCommand) Run(ctx context.Context, c *common) error {
	dir, clean, err := c.workplace()
	if err != nil {
		return err
	}
	defer clean()
	s := &station{freshnessCommand: f, common: c, dir: dir}
	defer s.close()
	if err := s.open(ctx); err != nil {
		return err
	}
	if _, err := s.run(ctx, "warming up", f.From, f.Step); err != nil { // the broker's just-in-time compiler, most of all
		return err
	}
	section := c.section("freshness", "Everything at once: how fresh outcomes are")
	rate := f.Rate
	if rate == 0 {
		if rate, err = s.search(ctx, section); err != nil {
			return err
		}
	}
	long, err := s.run(ctx, "for long", rate, f.For)
	if err != nil {
		return err
	}
	half, err := s.run(ctx, "half of it", rate/2, f.Half)
	if err != nil {
		return err
	}
	section.Raw["long"] = []measure.Series{{Name: "long", Rounds: []measure.Values{long}}, {Name: "half", Rounds: []measure.Values{half}}}
	s.report(section, long, half)
	return section.Save(c.Out)
}

func (s *station) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
}

func (s *station) open(ctx context.Context) (err error) {
	say("starting the broker, ClickHouse, the edge and the loader; logs are in %s", s.dir)
	// The loader must not fall out of what the topic keeps.
	if s.broker, err = s.common.startBroker(ctx, s.dir, 8*retainBytes); err != nil {
		return err
	}
	s.closers = append(s.closers, s.broker.Stop)
	if s.clickhouse, err = parts.StartClickHouse(ctx, filepath.Join(s.dir, "clickhouse"), ""); err != nil {
		return err
	}
	s.closers = append(s.closers, func() { _ = s.clickhouse.Stop() }) // the run is over
	if err = parts.Migrate(ctx, s.common.Bin, s.clickhouse.Addr(), database); err != nil {
		return err
	}
	paths, err := s.connect(ctx)
	if err != nil {
		return err
	}
	if s.loader, err = parts.StartLoader(ctx, s.common.Bin, s.dir, s.broker, "fresh", s.clickhouse.Addr(), database, s.LoaderArgs...); err != nil {
		return err
	}
	s.closers = append(s.closers, s.loader.Stop)
	config := traffic.Config{Seed: s.common.Seed, Products: s.Products, Users: 100_000, EventsOnly: true, Start: time.Now(), Every: time.Millisecond}
	s.requests = requestsOf(traffic.New(config).Bodies(max(openConns, bodiesFor(s.Batch)), s.Batch), func(product int) string { return paths[product] })
	s.prober = newProber(s.clickhouse, "http://"+s.edge.HTTP, probeProducts(s.Partitions), paths[s.Products:])
	return nil
}

// connect makes the connections and starts the edge. The paths of the products come first, then those of the probes.
func (s *station) connect(ctx context.Context) ([]string, error) {
	client, err := s.broker.Stream("fresh", s.Partitions)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var products []string
	for i := range s.Products {
		products = append(products, traffic.Product(i))
	}
	key := token.NewKey()
	paths, err := parts.Connect(ctx, client, key, append(products, probeProducts(s.Partitions)...)...)
	if err != nil {
		return nil, err
	}
	if s.edge, err = parts.StartEdge(ctx, s.common.Bin, s.dir, s.broker, "fresh", key); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.edge.Stop)
	return paths, nil
}

// What is measured of each run, beside what is of an edge's.
const (
	ratePerSecond = "events/s due"
	unsent        = "share not sent in time"
	freshP50      = "fresh p50 ms"
	freshP99      = "fresh p99 ms"
	freshMost     = "fresh most ms"
	loaderCPU     = "loader's µs/event"
	storeCPU      = "ClickHouse's µs/event"
	loaderMiB     = "loader's MiB"
)

// run sends at a rate and watches how fresh outcomes are meanwhile; then it waits until all is stored.
func (s *station) run(ctx context.Context, what string, rate float64, lasts time.Duration) (measure.Values, error) {
	begin := time.Now()
	m := meter{processes: map[string]int{cpuPerEvent: s.edge.Pid(), brokerPerEvent: s.broker.Pid(), loaderCPU: s.loader.Pid(), storeCPU: s.clickhouse.Pid()}}
	measure.ResetPeak(s.loader.Pid())
	answered, fresh, err := s.prober.during(ctx, load.Config{Addr: s.edge.HTTP, Connections: openConns, Requests: s.requests, Rate: rate / float64(s.Batch), Warm: warmUp, For: lasts,
		Fresh: uint64(begin.UnixNano()), Begin: m.begin, End: m.end})
	if err != nil {
		return nil, err
	}
	usage, err := s.loader.Usage()
	if err != nil {
		return nil, err
	}
	v := m.perEvent(answered.Messages)
	v[ratePerSecond], v[eventsPerSecond] = rate, answered.MessagesPerSecond()
	due := rate * lasts.Seconds()
	v[unsent] = max(0, 1-float64(answered.Messages)/due)
	v[p50], v[p99] = millis(answered.Latency(50)), millis(answered.Latency(99))
	v[freshP50], v[freshP99], v[freshMost] = float64(fresh.ValueAtPercentile(50)), float64(fresh.ValueAtPercentile(99)), float64(fresh.Max())
	v[loadPerEvent], v[loaderMiB] = micros(answered.OwnCPU, answered.Messages), float64(usage.PeakBytes)/(1<<20)
	say("%s  %-12s %s", time.Now().Format("15:04:05"), what, v)
	if len(answered.Refused) > 0 {
		return nil, answered.Err()
	}
	draining, cancel := context.WithTimeout(ctx, drainMost)
	defer cancel()
	return v, s.prober.drain(draining)
}

const (
	warmUp    = 3 * time.Second
	drainMost = 2 * time.Minute
)

// isFresh tells whether a run kept up, and its outcomes were as fresh as is wanted.
func isFresh(v measure.Values) bool {
	return v[freshP99] < millis(freshGoal) && v[unsent] < 1-keptUp
}

// search goes up until a step is not fresh, and then halves the distance. A step that is not fresh has a second chance: a rate that can
// be held for minutes is not to be missed for a moment of the machine's.
func (s *station) search(ctx context.Context, section *measure.Section) (best float64, err error) {
	steps := measure.Series{Name: "search"}
	defer func() { section.Raw["search"] = []measure.Series{steps} }()
	try := func(rate float64) (bool, error) {
		for range searchChances {
			v, err := s.run(ctx, "search", rate, s.Step)
			if err != nil {
				return false, err
			}
			steps.Rounds = append(steps.Rounds, v)
			if isFresh(v) {
				best = max(best, rate)
				return true, nil
			}
		}
		return false, nil
	}
	rate := s.From
	for fresh := true; fresh; {
		if fresh, err = try(rate); err != nil {
			return 0, err
		}
		if fresh {
			rate *= searchFactor
		}
	}
	for range searchHalvings {
		middle := (best + rate) / 2
		fresh, err := try(middle)
		if err != nil {
			return 0, err
		}
		if !fresh {
			rate = middle
		}
	}
	if best == 0 {
		return 0, fmt.Errorf("outcomes are not fresh even at %.0f events/s: begin lower, with --from", s.From)
	}
	return best, nil
}
