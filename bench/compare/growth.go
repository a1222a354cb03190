//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/traffic"
)

type growthCommand struct {
	Axes       []string      `name:"axis" help:"Only these: partitions, products, users, size, table, edge-partitions, edge-products, edge-size. Results of other axes and points at the same commit stay in the report."`
	Partitions []int         `help:"Partitions of the topic." default:"1,8,16,64"`
	Products   []int         `help:"Products." default:"10,32,1000,10000,100000"`
	Users      []int         `help:"Users; ClickHouse knows them all." default:"1000,50000,1000000,10000000"`
	Size       []int         `help:"Bytes of each message; 0 is a realistic size, 730 on average." default:"100,750,8192,65536"`
	Table      []int         `help:"Rows that the events table has at the start." default:"0,1000000,10000000,50000000"`
	Events     int           `help:"Events of each point." default:"900000"`
	Bytes      int           `help:"Maximum bytes of each point: larger messages are fewer." default:"1200000000"`
	Settle     time.Duration `help:"How long ClickHouse may go on merging after each point, to measure the total cost of an event; 0 starts the next point immediately."`
	For        time.Duration `help:"How long the edge gets requests." default:"5s"`
	LoaderArgs []string      `help:"More arguments for the loader." sep:"none"`
	EdgeArgs   []string      `help:"More arguments for the edge." sep:"none"`
}

// point is a value on an axis. All other quantities are those of the base.
type point struct {
	label      string
	x          int // the quantity that grows
	partitions int
	products   int
	users      int
	bytes      int
	rows       int // in the table at the start
}

var base = point{partitions: 8, products: 32, users: 50_000}

// axis is a quantity that grows.
type axis struct {
	name, title, unit string
	of                func(*growthCommand) []int
	set               func(*point, int)
	edge              bool // measures the edge, otherwise the loader
}

var (
	setPartitions = func(p *point, n int) { p.partitions = n }
	setProducts   = func(p *point, n int) { p.products = n }
	setBytes      = func(p *point, n int) { p.bytes = n }
	partitionsOf  = func(g *growthCommand) []int { return g.Partitions }
	productsOf    = func(g *growthCommand) []int { return g.Products }
)

var axes = []axis{
	{"partitions", "partitions of the topic", "", partitionsOf, setPartitions, false},
	{"products", "products", "", productsOf, setProducts, false},
	{
		"users",
		"users",
		"",
		func(g *growthCommand) []int { return g.Users },
		func(p *point, n int) { p.users = n },
		false,
	},
	{"size", "size of a message", "B", func(g *growthCommand) []int { return g.Size }, setBytes, false},
	{
		"table", "rows in the table at the start", "",
		func(g *growthCommand) []int { return g.Table }, func(p *point, n int) { p.rows = n }, false,
	},
	{"edge-partitions", "partitions of the topic", "", partitionsOf, setPartitions, true},
	{"edge-products", "connections that the edge knows", "", productsOf, setProducts, true},
	{"edge-size", "size of a message", "B", func(g *growthCommand) []int { return resendable(g.Size) }, setBytes, true},
}

func (a *axis) points(g *growthCommand) (points []point) {
	for _, n := range a.of(g) {
		p := base
		a.set(&p, n)
		p.x, p.label = n, short(n)
		if a.unit != "" {
			p.label += " " + a.unit
		}
		points = append(points, p)
	}
	return points
}

// resendable raises sizes to those of messages that the load generator can give new ids.
func resendable(sizes []int) (all []int) {
	for _, size := range sizes {
		if size > 0 {
			size = max(size, traffic.MinStampableBytes)
		}
		all = append(all, size)
	}
	return all
}

// short formats 10000000 as 10M.
func short(n int) string {
	switch {
	case n > 0 && n%1e6 == 0:
		return strconv.Itoa(n/1e6) + "M"
	case n > 0 && n%1e3 == 0:
		return strconv.Itoa(n/1e3) + "k"
	}
	return strconv.Itoa(n)
}

// growth is what all points run on.
type growth struct {
	*growthCommand
	*testbed
	runs int // so far; each has its own topics
}

// growthRetain is far above what a point writes to a partition, since the loader reads from the start.
const growthRetain = 8 << 30

// Run measures every point of every axis once.
func (g *growthCommand) Run(ctx context.Context, c *common) error {
	for _, name := range g.Axes {
		if !slices.ContainsFunc(axes, func(a axis) bool { return a.name == name }) {
			return fmt.Errorf("there is no axis %q", name)
		}
	}
	bed, err := c.newTestbed(ctx, growthRetain)
	if err != nil {
		return err
	}
	defer bed.close()
	if err := bed.startClickHouse(ctx); err != nil {
		return err
	}
	w := &growth{growthCommand: g, testbed: bed}
	section := c.section("growth", "How cost grows")
	if err := section.Resume(c.Out); err != nil {
		return err
	}
	for i := range axes {
		a := &axes[i]
		if !selected(g.Axes, a.name) {
			continue
		}
		say("\n%s: %s", a.name, a.title)
		series, err := w.measureAxis(ctx, a)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		section.Raw[a.name] = mergePoints(section.Raw[a.name], series)
		w.report(section)
		if err := section.Save(c.Out); err != nil {
			return err
		}
	}
	return nil
}

// mergePoints adds points to those of earlier runs, in ascending order.
func mergePoints(before, now []measure.Series) []measure.Series {
	all := merge(slices.Clone(before), now)
	slices.SortFunc(
		all,
		func(a, b measure.Series) int { return cmp.Compare(a.Of(atPoint).Median, b.Of(atPoint).Median) },
	)
	return all
}

// measureAxis measures the points of an axis in ascending order.
func (w *growth) measureAxis(ctx context.Context, a *axis) (all []measure.Series, err error) {
	measureAt, clean := w.loaderAt, func(context.Context) error { return nil }
	switch {
	case a.edge:
		measureAt = w.edgeAt
	case a.name == "table": // all points share one table, which grows
		t := &loaderRun{growth: w}
		measureAt, clean = t.at, t.drop
	}
	for _, p := range a.points(w.growthCommand) {
		began := time.Now()
		values, err := measureAt(ctx, &p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.label, err)
		}
		values[atPoint] = float64(p.x)
		all = append(all, measure.Series{Name: p.label, Rounds: []measure.Values{values}})
		say("%s  %-8s %s (%s)", time.Now().Format("15:04:05"), p.label, values, time.Since(began).Round(time.Second))
	}
	return all, clean(ctx)
}

// pointTraffic is the traffic of a point. Every run has its own seed, and so its own ids.
func (w *growth) pointTraffic(p *point) traffic.Config {
	return traffic.Config{
		Seed: w.Seed + uint64(w.runs), Products: p.products, Users: p.users, Bytes: p.bytes, EventsOnly: true,
		Start: time.Now().Add(-24 * time.Hour), Every: time.Millisecond,
	}
}
