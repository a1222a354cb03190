//go:build linux

package main

import (
	"slices"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/bench/baselines"
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/stream"
)

// "all" runs each comparison with the defaults of the comparison's own command.
func TestAll_Defaults(t *testing.T) {
	parse := func(args ...string) (c flags) {
		parser, err := kong.New(&c)
		require.NoError(t, err)
		_, err = parser.Parse(args)
		require.NoError(t, err)
		return c
	}
	all := parse("all")
	require.Equal(t, parse("edge").Edge, all.Edge)
	require.Equal(t, parse("freshness").Freshness, all.Freshness)
	require.Equal(t, parse("growth").Growth, all.Growth)
	require.Equal(t, parse("loader").Loader, all.Loader)
	require.Positive(t, all.Edge.For)
	require.Positive(t, all.Loader.Events)
	require.Positive(t, all.Freshness.For)
	require.Equal(t, parse("skew").Skew, all.Skew)
	require.Equal(t, parse("console").Console, all.Console)
	require.Positive(t, all.Skew.For)
}

// On each axis one quantity grows, in ascending order, and the base is one of the points.
func TestAxes(t *testing.T) {
	var c flags
	parser, err := kong.New(&c)
	require.NoError(t, err)
	_, err = parser.Parse([]string{"growth"})
	require.NoError(t, err)
	for i := range axes {
		points := axes[i].points(&c.Growth)
		var at []int
		hasBase := false
		for _, p := range points {
			at = append(at, p.x)
			p.x, p.label = 0, ""
			hasBase = hasBase || p == base || p.bytes == 750
			axes[i].set(&p, 0)
			zero := base
			axes[i].set(&zero, 0)
			require.Equal(t, zero, p)
		}
		require.Greater(t, len(at), 2)
		require.True(t, slices.IsSorted(at), axes[i].name)
		require.True(t, hasBase, axes[i].name)
	}
	require.Equal(t, "50M 1k 1500 0", short(50_000_000)+" "+short(1000)+" "+short(1500)+" "+short(0))
}

func TestGrowthGoal(t *testing.T) {
	at := func(name string, v float64) measure.Series {
		return measure.Series{Name: name, Rounds: []measure.Values{{ifAlone: v, mbPerSecond: 1 / v}}}
	}
	flat := axes[0].goal([]measure.Series{at("1", 90), at("8", 100), at("64", 80)})
	require.True(t, flat.Met)
	require.Equal(t, "0.800 (64 over 8)", flat.Reached)
	require.False(t, axes[0].goal([]measure.Series{at("1", 79), at("8", 100)}).Met)
	merged := mergePoints([]measure.Series{at("1", 1), at("9", 9)}, []measure.Series{at("1", 2)})
	require.Equal(t, []measure.Series{at("1", 2), at("9", 9)}, merged)
	shared := measure.Values{eventsPerSecond: 10}
	processorShares{busy: 80, total: 100, ours: 30}.add(shared)
	require.Equal(t, measure.Values{eventsPerSecond: 10, ifAlone: 20, othersShare: .5, idleShare: .2}, shared)
	require.True(t, axes[3].goal([]measure.Series{at("1", 100), at("8", 90)}).Met, "for growing messages the goal is bytes per second")
}

func TestCommand_Folders_AreLeftOut(t *testing.T) {
	require.Equal(t, "bin/compare --rounds 2 edge --for=8s", command([]string{"--dir", "/x", "--rounds", "2", "--jars=/y", "edge", "--for=8s", "--out", "z"}))
}

func TestProbeProducts_AreInDifferentPartitions(t *testing.T) {
	var at []int32
	for _, product := range probeProducts(8) {
		at = append(at, stream.PartitionOf(traffic.Workspace, product, 8))
	}
	slices.Sort(at)
	require.Len(t, at, probePartitions)
	require.Equal(t, at, slices.Compact(slices.Clone(at)))
	require.Len(t, probeProducts(1), 1)
}

func TestSkew_Shares(t *testing.T) {
	products := evenProducts(32, 8)
	each := map[int32]int{}
	for _, p := range products {
		each[stream.PartitionOf(traffic.Workspace, p, 8)]++
	}
	require.Len(t, each, 8)
	for _, n := range each {
		require.Equal(t, 4, n)
	}
	s := skewCommand{Hot: .95}
	for _, d := range s.distributions() {
		sent := map[int]int{}
		for i := range 32 * 100 {
			sent[d.product(i, 32)]++
		}
		require.Len(t, sent, 32)
		require.InDelta(t, max(d.hot, 1./32), float64(sent[0])/(32*100), 1e-9, d.name)
	}
}

func TestEdgeGoals(t *testing.T) {
	series := func(name string, v float64) measure.Series {
		return measure.Series{Name: name, Rounds: []measure.Values{{eventsPerSecond: v}}}
	}
	all := []measure.Series{series(ours, 90), series(baselines.Edges[0].Name, 100), series("other", 20)}
	for name, want := range map[string][]bool{"single-64": {false, false}, "batch-100": {true, false}, "batch-10": {false}} {
		var met []bool
		for _, g := range edgeGoals(shapes[slices.IndexFunc(shapes, func(s shape) bool { return s.name == name })], all) {
			met = append(met, g.Met)
		}
		require.Equal(t, want, met, name)
	}
}

// A run is fresh only if it also sustained its rate.
func TestIsFresh(t *testing.T) {
	require.True(t, isFresh(measure.Values{freshP99: 1999, unsentShare: 0}))
	require.False(t, isFresh(measure.Values{freshP99: 2000, unsentShare: 0}))
	require.False(t, isFresh(measure.Values{freshP99: 100, unsentShare: .01}))
}

func TestLoaderGoals(t *testing.T) {
	series := func(name string, speed, cpu float64) measure.Series {
		return measure.Series{Name: name, Rounds: []measure.Values{{eventsPerSecond: speed, bothPerMillion: cpu}}}
	}
	all := []measure.Series{series(ours, 150, 5), series(withoutAttribution, 170, 4), series(baselines.Loaders[0].Name, 300, 2), series(baselines.Loaders[1].Name, 70, 5.1)}
	var met []bool
	for _, g := range loaderGoals(all) {
		met = append(met, g.Met)
	}
	require.Equal(t, []bool{false, true, true}, met, "speed of the limit, speed of the engine, processor time of the engine")
	require.Empty(t, loaderGoals(all[1:]), "without a result of ours")
}

func TestMerge_SameName_IsReplaced(t *testing.T) {
	series := func(name string, speed float64) measure.Series {
		return measure.Series{Name: name, Rounds: []measure.Values{{eventsPerSecond: speed}}}
	}
	require.Equal(t, []measure.Series{series("a", 1), series("b", 3), series("c", 4)}, merge([]measure.Series{series("a", 1), series("b", 2)}, []measure.Series{series("b", 3), series("c", 4)}))
}

// The time before the first rows does not count.
func TestRowWatch_Rate(t *testing.T) {
	begin := time.Now()
	w := rowWatch{
		comparison: &loaderComparison{loaderCommand: &loaderCommand{Events: 1000}},
		begin:      begin, first: begin.Add(10 * time.Second), last: begin.Add(18 * time.Second), firstRows: 200,
	}
	require.InDelta(t, 100, w.rate(), 1e-9)
	w.firstRows = 1000
	require.InDelta(t, 1000./18, w.rate(), 1e-9)
}
