//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/millrace/millrace/bench/load"
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/parts"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/token"
)

type skewCommand struct {
	Hot        float64       `help:"Share of the messages that are the hot product's." default:".95"`
	Fill       time.Duration `help:"How long a backlog is sent before the loaders start." default:"10s"`
	Rate       float64       `help:"Events a second, of all products, while the freshness of the others is watched." default:"10000"`
	For        time.Duration `help:"How long that lasts." default:"20s"`
	Batch      int           `help:"Messages in a request." default:"100"`
	Partitions int           `help:"Partitions of the topic, over all of which the hot product is spread." default:"8"`
	Products   int           `help:"Products, as many in each partition." default:"32"`
	Loaders    int           `help:"Loaders that share the partitions." default:"2"`
}

// way is how messages are shared out.
type way struct {
	name   string
	hot    float64 // share of the first product; 0 is as much as any
	salted bool    // it is over all partitions
}

func (s *skewCommand) ways() []way {
	return []way{{"even", 0, false}, {"hot and spread", s.Hot, true}, {"hot in one partition", s.Hot, false}}
}

// skewed is a comparison under way.
type skewed struct {
	*skewCommand
	common     *common
	dir        string
	broker     *parts.Broker
	clickhouse *parts.ClickHouse
	products   []string // the first is the hot one
	probed     []string // in other partitions than that one's own
	turns      int
}

const backlogPerSecond = "events/s of a backlog"

// Run measures each way in turns.
func (s *skewCommand) Run(ctx context.Context, c *common) error {
	dir, clean, err := c.workplace()
	if err != nil {
		return err
	}
	defer clean()
	k := &skewed{skewCommand: s, common: c, dir: dir, products: evenProducts(s.Products, s.Partitions)}
	own := stream.PartitionOf(k.products[0], int32(s.Partitions))
	k.probed = slices.DeleteFunc(probeProducts(s.Partitions), func(p string) bool { return stream.PartitionOf(p, int32(s.Partitions)) == own })
	say("starting the broker and ClickHouse; logs are in %s", dir)
	if k.broker, err = c.startBroker(ctx, dir, 8*retainBytes); err != nil {
		return err
	}
	defer k.broker.Stop()
	if k.clickhouse, err = parts.StartClickHouse(ctx, filepath.Join(dir, "clickhouse"), ""); err != nil {
		return err
	}
	defer k.clickhouse.Stop() //nolint:errcheck // the run is over
	var contenders []measure.Contender
	for _, w := range s.ways() {
		contenders = append(contenders, measure.Contender{Name: w.name, Run: func(ctx context.Context) (measure.Values, error) { return k.turn(ctx, w) }})
	}
	section := c.section("skew", "One product with nearly all of the traffic")
	series, err := measure.Turns(ctx, stderr, c.Rounds, contenders)
	if err != nil {
		return err
	}
	section.Raw["skew"] = series
	k.report(section, series)
	return section.Save(c.Out)
}

// evenProducts are so many products, as many in each partition as in any other.
func evenProducts(n, partitions int) (products []string) {
	each := map[int32]int{}
	for i := 0; len(products) < n; i++ {
		name := fmt.Sprintf("shop-%d", i)
		if at := stream.PartitionOf(name, int32(partitions)); each[at] < (n+partitions-1)/partitions {
			each[at]++
			products = append(products, name)
		}
	}
	return products
}

// turn has an edge take a backlog and loaders load it, and then sends at a rate. All is new: topics, tables and processes.
func (s *skewed) turn(ctx context.Context, w way) (measure.Values, error) {
	s.turns++
	prefix := fmt.Sprintf("skew%d", s.turns)
	if _, err := s.clickhouse.SQL(ctx, "default", "DROP DATABASE IF EXISTS "+database+" SYNC"); err != nil {
		return nil, err
	}
	if err := parts.Migrate(ctx, s.common.Bin, s.clickhouse.Addr(), database); err != nil {
		return nil, err
	}
	client, err := s.broker.Stream(prefix, s.Partitions)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	salted := map[string]int{}
	if w.salted {
		salted[s.products[0]] = s.Partitions
	}
	key := token.NewKey()
	paths, err := parts.ConnectSalted(ctx, client, key, salted, slices.Concat(s.products, s.probed)...)
	if err != nil {
		return nil, err
	}
	edge, err := parts.StartEdge(ctx, s.common.Bin, s.dir, s.broker, prefix, key)
	if err != nil {
		return nil, err
	}
	defer edge.Stop()
	requests := s.requests(w, paths)
	if err := s.fill(ctx, edge, requests); err != nil {
		return nil, err
	}
	backlog, err := records(ctx, client)
	if err != nil {
		return nil, err
	}
	for range s.Loaders {
		loader, err := parts.StartLoader(ctx, s.common.Bin, s.dir, s.broker, prefix, s.clickhouse.Addr(), database)
		if err != nil {
			return nil, err
		}
		defer loader.Stop()
	}
	v := measure.Values{}
	if v[backlogPerSecond], err = s.load(ctx, backlog); err != nil {
		return nil, err
	}
	return v, s.watch(ctx, edge, requests, newProber(s.clickhouse, "http://"+edge.HTTP, s.probed, paths[s.Products:]), v)
}

// requests are the bodies of a way, each of one product.
func (s *skewed) requests(w way, paths []string) []*load.Request {
	writer := traffic.New(traffic.Config{Seed: s.common.Seed, Users: 100_000, EventsOnly: true, Start: time.Now(), Every: time.Millisecond})
	var bodies []*traffic.Body
	for i := range max(openConns, bodiesFor(s.Batch)) {
		bodies = append(bodies, writer.Body(uint64(i*s.Batch), s.Batch, w.product(i, s.Products)))
	}
	return requestsOf(bodies, func(product int) string { return paths[product] })
}

// product is whose the i-th body is.
func (w *way) product(i, products int) int {
	const cycle = 100
	switch cold := i % cycle; {
	case w.hot == 0:
		return i % products
	case float64(cold) < w.hot*cycle:
		return 0
	default:
		return 1 + (i/cycle+cold)%(products-1)
	}
}

// fill sends a backlog as fast as it is taken.
func (s *skewed) fill(ctx context.Context, edge *parts.Part, requests []*load.Request) error {
	result, err := load.Run(ctx, load.Config{Addr: edge.HTTP, Connections: 16, Requests: requests, For: s.Fill, Fresh: uint64(time.Now().UnixNano())})
	if err != nil {
		return err
	}
	return result.Err()
}

func records(ctx context.Context, client *stream.Client) (sum int, err error) {
	spans, err := client.OffsetRanges(ctx, &stream.ReplayRange{Topics: []string{client.Topics().Ingest}})
	for _, span := range spans {
		sum += int(span.Until - span.From)
	}
	return sum, err
}

// backlogPoll is how often rows are counted.
const backlogPoll = 50 * time.Millisecond

// load waits until a backlog is stored, and tells at how many events a second: of its last nine tenths, so that the start
// of the loaders does not count.
func (s *skewed) load(ctx context.Context, backlog int) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, drainMost)
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

// watch sends at a rate, and watches how fresh the outcomes of other products are meanwhile.
func (s *skewed) watch(ctx context.Context, edge *parts.Part, requests []*load.Request, p *prober, v measure.Values) error {
	answered, fresh, err := p.during(ctx, load.Config{Addr: edge.HTTP, Connections: openConns, Requests: requests, Rate: s.Rate / float64(s.Batch), Warm: warmUp, For: s.For,
		Fresh: uint64(time.Now().UnixNano())})
	if err != nil {
		return err
	}
	v[eventsPerSecond], v[p99] = answered.MessagesPerSecond(), millis(answered.Latency(99))
	v[freshP50], v[freshP99] = float64(fresh.ValueAtPercentile(50)), float64(fresh.ValueAtPercentile(99))
	return answered.Err()
}
