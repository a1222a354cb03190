//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/bench/load"
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/traffic"
)

type freshnessCommand struct {
	Rate       float64       `help:"Events a second of the long run; 0 is the highest rate that the search finds."`
	For        time.Duration `help:"Duration of the long run." default:"5m"`
	Half       time.Duration `help:"Duration of the run at half of that rate." default:"1m"`
	Step       time.Duration `help:"Duration of a step of the search." default:"25s"`
	From       float64       `help:"Rate of the first step." default:"30000"`
	Batch      int           `help:"Messages in a request." default:"100"`
	Partitions int           `help:"Partitions of the topic." default:"8"`
	Products   int           `help:"Products, each with its own connection." default:"32"`
	LoaderArgs []string      `help:"More arguments for the loader." sep:"none"`
}

const (
	freshGoal      = 2 * time.Second // limit of the 99th percentile
	openConns      = 64              // connections of the open loop: more than a sustained rate keeps busy
	searchFactor   = 1.3             // between the rates of two steps
	searchHalvings = 2               // of the distance to the first rate that is too high
	searchAttempts = 2               // at each rate
	sustained      = .995            // share of the due requests that must be answered in time
	warmUp         = 3 * time.Second
	drainTimeout   = 2 * time.Minute
)

// pipeline is all of Millrace: edge, broker, loader and ClickHouse.
type pipeline struct {
	*freshnessCommand
	*testbed
	edge     *measure.Service
	loader   *measure.Service
	requests []*load.Request
	prober   *prober
}

// Run searches for the highest rate at which outcomes are fresh, and holds it for a while.
func (f *freshnessCommand) Run(ctx context.Context, c *common) error {
	bed, err := c.newTestbed(ctx, readableBytes)
	if err != nil {
		return err
	}
	defer bed.close()
	s := &pipeline{freshnessCommand: f, testbed: bed}
	if err := s.open(ctx); err != nil {
		return err
	}
	if _, err := s.run(ctx, "warm-up", f.From, f.Step); err != nil { // for the broker's just-in-time compiler
		return err
	}
	section := c.section("freshness", "The whole pipeline: how fresh outcomes are")
	rate := f.Rate
	if rate == 0 {
		if rate, err = s.search(ctx, section); err != nil {
			return err
		}
	}
	long, err := s.run(ctx, "long run", rate, f.For)
	if err != nil {
		return err
	}
	half, err := s.run(ctx, "half rate", rate/2, f.Half)
	if err != nil {
		return err
	}
	section.Raw["long"] = []measure.Series{
		{Name: f.For.String(), Rounds: []measure.Values{long}},
		{Name: "half, " + f.Half.String(), Rounds: []measure.Values{half}},
	}
	s.report(section)
	return section.Save(c.Out)
}

func (s *pipeline) open(ctx context.Context) error {
	say("starting ClickHouse, the edge and the loader")
	const prefix = "fresh"
	if err := s.startClickHouse(ctx); err != nil {
		return err
	}
	if err := s.migrate(ctx, database); err != nil {
		return err
	}
	client, err := s.broker.Stream(prefix, s.Partitions)
	if err != nil {
		return err
	}
	defer client.Close()
	probed := probeProducts(s.Partitions)
	connections := measure.Connections{Products: slices.Concat(productNames(s.Products), probed)}
	edge, paths, err := s.startEdge(ctx, client, prefix, connections)
	if err != nil {
		return err
	}
	s.edge = edge
	s.onClose(edge.Stop)
	s.loader, err = s.services(prefix).StartLoader(ctx, s.clickhouse.Addr(), database, s.LoaderArgs...)
	if err != nil {
		return err
	}
	s.onClose(s.loader.Stop)
	bodies := traffic.New(s.traffic(s.Products)).Bodies(max(openConns, bodiesFor(s.Batch)), s.Batch)
	s.requests = requestsOf(bodies, indexInto(paths))
	s.prober = newProber(s.clickhouse, "http://"+s.edge.HTTP, probed, paths[s.Products:])
	return nil
}

// What each run measures besides throughput, latency and processor time.
const (
	ratePerSecond = "events/s due"
	unsentShare   = "share not sent in time"
	freshP50      = "fresh p50 ms"
	freshP99      = "fresh p99 ms"
	freshMax      = "fresh max ms"
)

// run sends at a rate and measures freshness. Then it waits until all events are stored.
func (s *pipeline) run(ctx context.Context, name string, rate float64, lasts time.Duration) (measure.Values, error) {
	m := meter{processes: map[string]int{
		cpuPerEvent: s.edge.Pid(), brokerPerEvent: s.broker.Pid(),
		loaderPerEvent: s.loader.Pid(), storePerEvent: s.clickhouse.Pid(),
	}}
	measure.ResetPeak(s.loader.Pid())
	answered, fresh, err := s.prober.during(ctx, load.Config{
		Addr: s.edge.HTTP, Connections: openConns, Requests: s.requests, Rate: rate / float64(s.Batch),
		Warm: warmUp, For: lasts, NewIDs: newIDs(), Begin: m.begin, End: m.end,
	})
	if err != nil {
		return nil, err
	}
	usage, err := s.loader.Usage()
	if err != nil {
		return nil, err
	}
	v := m.perEvent(answered.Messages)
	addAnswers(v, answered)
	v[ratePerSecond] = rate
	v[unsentShare] = max(0, 1-float64(answered.Messages)/(rate*lasts.Seconds()))
	v[freshP50], v[freshP99] = float64(fresh.ValueAtPercentile(50)), float64(fresh.ValueAtPercentile(99))
	v[freshMax] = float64(fresh.Max())
	v[loaderMiB] = mib(usage.PeakBytes)
	say("%s  %-12s %s", time.Now().Format("15:04:05"), name, v)
	if len(answered.Refused) > 0 {
		return nil, answered.Err()
	}
	draining, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	return v, s.prober.drain(draining)
}

// newIDs is the prefix of the message ids of a run, different for each.
func newIDs() uint64 { return uint64(time.Now().UnixNano()) }

// isFresh reports whether a run sustained its rate with fresh outcomes.
func isFresh(v measure.Values) bool {
	return v[freshP99] < millis(freshGoal) && v[unsentShare] < 1-sustained
}

// search raises the rate until a step is not fresh, and then halves the distance. It tries each rate twice, because a
// short disturbance of the machine can spoil a step.
func (s *pipeline) search(ctx context.Context, section *measure.Section) (best float64, err error) {
	steps := measure.Series{Name: "search"}
	defer func() { section.Raw["search"] = []measure.Series{steps} }()
	try := func(rate float64) (bool, error) {
		for range searchAttempts {
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
		return 0, fmt.Errorf("outcomes are not fresh even at %.0f events/s: start lower, with --from", s.From)
	}
	return best, nil
}
