//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/parts"
	"github.com/millrace/millrace/bench/traffic"
)

type growthCommand struct {
	Axes       []string      `name:"axis" help:"Only these: partitions, products, users, size, table, edge-partitions, edge-products, edge-size. What was measured of others, and at other points, at the same commit stays in the report."`
	Partitions []int         `help:"Partitions of the topic." default:"1,8,16,64"`
	Products   []int         `help:"Products." default:"10,32,1000,10000,100000"`
	Users      []int         `help:"Users, all of whom ClickHouse knows." default:"1000,50000,1000000,10000000"`
	Size       []int         `help:"Bytes of each message; 0: as real ones are, 730 on average." default:"100,750,8192,65536"`
	Table      []int         `help:"Rows that the events table has before." default:"0,1000000,10000000,50000000"`
	Events     int           `help:"Events of each point." default:"900000"`
	Bytes      int           `help:"Bytes of each point at most: with larger messages there are fewer." default:"1200000000"`
	Settle     time.Duration `help:"How long ClickHouse may go on merging after each point, for what an event costs it in all; 0: the next point begins at once."`
	For        time.Duration `help:"How long the edge is sent to." default:"5s"`
	LoaderArgs []string      `help:"More arguments for the loader." sep:"none"`
	EdgeArgs   []string      `help:"More arguments for the edge." sep:"none"`
}

// point is one setting of what can grow. All but one quantity are those of the base.
type point struct {
	label      string
	x          int // what is varied
	partitions int
	products   int
	users      int
	bytes      int
	rows       int // in the table before
}

var base = point{partitions: 8, products: 32, users: 50_000}

// axis is something that grows.
type axis struct {
	name, title, unit string
	of                func(*growthCommand) []int
	set               func(*point, int)
	edge              bool // it is the edge that is measured
}

var axes = []axis{
	{"partitions", "partitions of the topic", "", func(g *growthCommand) []int { return g.Partitions }, func(p *point, n int) { p.partitions = n }, false},
	{"products", "products", "", func(g *growthCommand) []int { return g.Products }, func(p *point, n int) { p.products = n }, false},
	{"users", "users", "", func(g *growthCommand) []int { return g.Users }, func(p *point, n int) { p.users = n }, false},
	{"size", "size of a message", "B", func(g *growthCommand) []int { return g.Size }, func(p *point, n int) { p.bytes = n }, false},
	{"table", "rows in the table before", "", func(g *growthCommand) []int { return g.Table }, func(p *point, n int) { p.rows = n }, false},
	{"edge-partitions", "partitions of the topic", "", func(g *growthCommand) []int { return g.Partitions }, func(p *point, n int) { p.partitions = n }, true},
	{"edge-products", "connections that the edge knows", "", func(g *growthCommand) []int { return g.Products }, func(p *point, n int) { p.products = n }, true},
	{"edge-size", "size of a message", "B", func(g *growthCommand) []int { return roomy(g.Size) }, func(p *point, n int) { p.bytes = n }, true},
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

// roomy are sizes of messages that the load generator can send more than once.
func roomy(sizes []int) (all []int) {
	for _, size := range sizes {
		if size > 0 {
			size = max(size, traffic.RoomyBytes)
		}
		all = append(all, size)
	}
	return all
}

// short writes 10000000 as 10M.
func short(n int) string {
	for _, unit := range []struct {
		of   int
		name string
	}{{1e6, "M"}, {1e3, "k"}} {
		if n >= unit.of && n%unit.of == 0 {
			return strconv.Itoa(n/unit.of) + unit.name
		}
	}
	return strconv.Itoa(n)
}

// ground is what all points run on.
type ground struct {
	*growthCommand
	common     *common
	dir        string
	broker     *parts.Broker
	clickhouse *parts.ClickHouse
	runs       int // so far; each has topics of its own
	closers    []func()
}

// Run measures every point of every axis once.
func (g *growthCommand) Run(ctx context.Context, c *common) error {
	for _, name := range g.Axes {
		if !slices.ContainsFunc(axes, func(a axis) bool { return a.name == name }) {
			return fmt.Errorf("there is no axis %q", name)
		}
	}
	dir, clean, err := c.workplace()
	if err != nil {
		return err
	}
	defer clean()
	w := &ground{growthCommand: g, common: c, dir: dir}
	defer w.close()
	if err := w.open(ctx); err != nil {
		return err
	}
	section := c.section("growth", "How cost grows")
	if err := section.Resume(c.Out); err != nil {
		return err
	}
	for i := range axes {
		a := &axes[i]
		if !wanted(g.Axes, a.name) {
			continue
		}
		say("\n%s: %s", a.name, a.title)
		series, err := w.walk(ctx, a)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		section.Raw[a.name] = mergedAxis(section.Raw[a.name], series)
		w.report(section)
		if err := section.Save(c.Out); err != nil {
			return err
		}
	}
	return nil
}

// mergedAxis is an axis with the points measured now beside those measured before.
func mergedAxis(before, now []measure.Series) []measure.Series {
	all := merged(slices.Clone(before), now)
	slices.SortFunc(all, func(a, b measure.Series) int { return cmp.Compare(a.Of(atPoint).Median, b.Of(atPoint).Median) })
	return all
}

func (w *ground) close() {
	for i := len(w.closers) - 1; i >= 0; i-- {
		w.closers[i]()
	}
}

// growthRetain is far above what a point writes to a partition: the loader must not fall out of what the topic keeps.
const growthRetain = 8 << 30

func (w *ground) open(ctx context.Context) (err error) {
	say("starting the broker and ClickHouse; logs are in %s", w.dir)
	if w.broker, err = w.common.startBroker(ctx, w.dir, growthRetain); err != nil {
		return err
	}
	w.closers = append(w.closers, w.broker.Stop)
	if w.clickhouse, err = parts.StartClickHouse(ctx, filepath.Join(w.dir, "clickhouse"), ""); err != nil {
		return err
	}
	w.closers = append(w.closers, func() { _ = w.clickhouse.Stop() }) // the run is over
	return nil
}

// walk measures an axis from its least point to its greatest.
func (w *ground) walk(ctx context.Context, a *axis) (all []measure.Series, err error) {
	measureAt, clean := w.loaderAt, func(context.Context) error { return nil }
	switch {
	case a.edge:
		measureAt = w.edgeAt
	case a.name == "table": // which is one that grows
		t := &store{ground: w}
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

// traffic is what is sent at a point. Every run has a seed of its own, and so other ids.
func (w *ground) traffic(p *point) traffic.Config {
	return traffic.Config{Seed: w.common.Seed + uint64(w.runs), Products: p.products, Users: p.users, Bytes: p.bytes, EventsOnly: true,
		Start: time.Now().Add(-24 * time.Hour), Every: time.Millisecond}
}
