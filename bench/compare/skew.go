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
	"github.com/millrace/millrace/pkg/stream"
)

type skewCommand struct {
	Hot        float64       `help:"Share of the messages that belong to the hot product." default:".95"`
	Fill       time.Duration `help:"How long a backlog is sent before the loaders start." default:"10s"`
	Rate       float64       `help:"Events a second, of all products, while the freshness of the other products is measured." default:"10000"`
	For        time.Duration `help:"How long that lasts." default:"20s"`
	Batch      int           `help:"Messages in a request." default:"100"`
	Partitions int           `help:"Partitions of the topic. The hot product's salts are as many." default:"8"`
	Products   int           `help:"Products, the same number in each partition." default:"32"`
	Loaders    int           `help:"Loaders that share the partitions." default:"2"`
}

// distribution is how messages are distributed over products and partitions.
type distribution struct {
	name   string
	hot    float64 // share of the first product; 0 is an even load
	salted bool    // the first product uses all partitions
}

func (s *skewCommand) distributions() []distribution {
	return []distribution{{"even", 0, false}, {"hot, salted", s.Hot, true}, {"hot in one partition", s.Hot, false}}
}

// skewComparison is the state of all rounds.
type skewComparison struct {
	*skewCommand
	*testbed
	products []string // the first is the hot one
	probed   []string // in other partitions than the hot product's own
	rounds   int
}

const backlogPerSecond = "events/s of a backlog"

// Run measures each distribution in alternating rounds.
func (s *skewCommand) Run(ctx context.Context, c *common) error {
	bed, err := c.newTestbed(ctx, readableBytes)
	if err != nil {
		return err
	}
	defer bed.close()
	if err := bed.startClickHouse(ctx); err != nil {
		return err
	}
	k := &skewComparison{skewCommand: s, testbed: bed, products: evenProducts(s.Products, s.Partitions)}
	partition := func(product string) int32 {
		return stream.PartitionOf(traffic.Workspace, product, int32(s.Partitions))
	}
	k.probed = slices.DeleteFunc(probeProducts(s.Partitions), func(p string) bool {
		return partition(p) == partition(k.products[0])
	})
	var contenders []measure.Contender
	for _, d := range s.distributions() {
		run := func(ctx context.Context) (measure.Values, error) { return k.round(ctx, d) }
		contenders = append(contenders, measure.Contender{Name: d.name, Run: run})
	}
	section := c.section("skew", "One product with nearly all of the traffic")
	series, err := measure.Rounds(ctx, stderr, c.Rounds, contenders)
	if err != nil {
		return err
	}
	section.Raw["skew"] = series
	k.report(section, series)
	return section.Save(c.Out)
}

// evenProducts returns n products, the same number in each partition.
func evenProducts(n, partitions int) (products []string) {
	each := map[int32]int{}
	for i := 0; len(products) < n; i++ {
		name := fmt.Sprintf("shop-%d", i)
		at := stream.PartitionOf(traffic.Workspace, name, int32(partitions))
		if each[at] < (n+partitions-1)/partitions {
			each[at]++
			products = append(products, name)
		}
	}
	return products
}

// round sends a backlog to a new edge, has new loaders load it, and then sends at a rate.
func (s *skewComparison) round(ctx context.Context, d distribution) (measure.Values, error) {
	s.rounds++
	prefix := fmt.Sprintf("skew%d", s.rounds)
	if _, err := s.clickhouse.SQL(ctx, "default", "DROP DATABASE IF EXISTS "+database+" SYNC"); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, database); err != nil {
		return nil, err
	}
	client, err := s.broker.Stream(prefix, s.Partitions)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	connections := measure.Connections{Products: slices.Concat(s.products, s.probed), Salts: map[string]int{}}
	if d.salted {
		connections.Salts[s.products[0]] = s.Partitions
	}
	edge, paths, err := s.startEdge(ctx, client, prefix, connections)
	if err != nil {
		return nil, err
	}
	defer edge.Stop()
	requests := s.requests(d, paths)
	if err := s.fill(ctx, edge, requests); err != nil {
		return nil, err
	}
	backlog, err := countRecords(ctx, client)
	if err != nil {
		return nil, err
	}
	for range s.Loaders {
		loader, err := s.services(prefix).StartLoader(ctx, s.clickhouse.Addr(), database)
		if err != nil {
			return nil, err
		}
		defer loader.Stop()
	}
	v := measure.Values{}
	if v[backlogPerSecond], err = s.awaitBacklog(ctx, backlog); err != nil {
		return nil, err
	}
	prober := newProber(s.clickhouse, "http://"+edge.HTTP, s.probed, paths[s.Products:])
	return v, s.measureFreshness(ctx, edge, requests, prober, v)
}

// requests are the requests of a distribution, each of one product.
func (s *skewComparison) requests(d distribution, paths []string) []*load.Request {
	writer := traffic.New(s.traffic(0))
	var bodies []*traffic.Body
	for i := range max(openConns, bodiesFor(s.Batch)) {
		bodies = append(bodies, writer.Body(uint64(i*s.Batch), s.Batch, d.product(i, s.Products)))
	}
	return requestsOf(bodies, indexInto(paths))
}

// product is the product of body number i.
func (d *distribution) product(i, products int) int {
	const cycle = 100
	switch position := i % cycle; {
	case d.hot == 0:
		return i % products
	case float64(position) < d.hot*cycle:
		return 0
	default:
		return 1 + (i/cycle+position)%(products-1)
	}
}

// fill sends a backlog in a closed loop.
func (s *skewComparison) fill(ctx context.Context, edge *measure.Service, requests []*load.Request) error {
	result, err := load.Run(ctx, load.Config{
		Addr: edge.HTTP, Connections: 16, Requests: requests, For: s.Fill, NewIDs: newIDs(),
	})
	if err != nil {
		return err
	}
	return result.Err()
}

func countRecords(ctx context.Context, client *stream.Client) (sum int, err error) {
	spans, err := client.OffsetRanges(ctx, &stream.ReplayRange{Topics: []string{client.Topics().Ingest}})
	for _, span := range spans {
		sum += int(span.Until - span.From)
	}
	return sum, err
}

const backlogPoll = 50 * time.Millisecond

// awaitBacklog waits until a backlog is stored, and returns the events a second of its last nine tenths, which exclude
// the start of the loaders.
func (s *skewComparison) awaitBacklog(ctx context.Context, backlog int) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	first, from := 0, time.Time{}
	for {
		rows, err := s.clickhouse.Count(ctx, database, "SELECT count() FROM events")
		now := time.Now()
		switch {
		case err != nil:
			return 0, fmt.Errorf("wait for a backlog of %d: %w", backlog, err)
		case rows >= backlog:
			return float64(rows-first) / now.Sub(from).Seconds(), nil
		case from.IsZero() && rows > backlog/10:
			first, from = rows, now
		}
		time.Sleep(backlogPoll)
	}
}

// measureFreshness sends at a rate, and adds the freshness of the other products to v.
func (s *skewComparison) measureFreshness(
	ctx context.Context, edge *measure.Service, requests []*load.Request, p *prober, v measure.Values,
) error {
	answered, fresh, err := p.during(ctx, load.Config{
		Addr: edge.HTTP, Connections: openConns, Requests: requests, Rate: s.Rate / float64(s.Batch),
		Warm: warmUp, For: s.For, NewIDs: newIDs(),
	})
	if err != nil {
		return err
	}
	addAnswers(v, answered)
	v[freshP50], v[freshP99] = float64(fresh.ValueAtPercentile(50)), float64(fresh.ValueAtPercentile(99))
	return answered.Err()
}
