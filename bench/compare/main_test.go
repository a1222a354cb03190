//go:build linux

package main

import (
	"slices"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/rivals"
	"github.com/millrace/millrace/pkg/stream"
)

// A plain "all" gets every comparison as it is when it is run alone.
func TestDefaults(t *testing.T) {
	parse := func(args ...string) (c cli) {
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
	require.Positive(t, all.Edge.For)
	require.Positive(t, all.Freshness.For)
}

// Only one thing grows on an axis, from the least to the most, and the base is on each.
func TestAxes(t *testing.T) {
	var c cli
	parser, err := kong.New(&c)
	require.NoError(t, err)
	_, err = parser.Parse([]string{"growth"})
	require.NoError(t, err)
	for i := range axes {
		points := axes[i].points(&c.Growth)
		var at []int
		based := false
		for _, p := range points {
			at = append(at, p.x)
			p.x, p.label = 0, ""
			based = based || p == base || p.bytes == 750
			axes[i].set(&p, 0)
			zero := base
			axes[i].set(&zero, 0)
			require.Equal(t, zero, p)
		}
		require.Greater(t, len(at), 2)
		require.True(t, slices.IsSorted(at), axes[i].name)
		require.True(t, based, axes[i].name)
	}
	require.Equal(t, "50M 1k 1500 0", short(50_000_000)+" "+short(1000)+" "+short(1500)+" "+short(0))
}

func TestGrowthGoal(t *testing.T) {
	at := func(name string, v float64) measure.Series {
		return measure.Series{Name: name, Rounds: []measure.Values{{alone: v, mbPerSecond: 1 / v}}}
	}
	flatter := axes[0].goal([]measure.Series{at("1", 90), at("8", 100), at("64", 80)})
	require.True(t, flatter.Met)
	require.Equal(t, "0.800 (64 over 8)", flatter.Reached)
	require.False(t, axes[0].goal([]measure.Series{at("1", 79), at("8", 100)}).Met)
	again := merged([]measure.Series{at("1", 1), at("9", 9)}, []measure.Series{at("1", 2)})
	require.Equal(t, []measure.Series{at("1", 2), at("9", 9)}, again)
	shared := measure.Values{eventsPerSecond: 10}
	strangers{busy: 80, there: 100, ours: 30}.note(shared)
	require.Equal(t, measure.Values{eventsPerSecond: 10, alone: 20, strangeShare: .5, idleShare: .2}, shared)
	require.True(t, axes[3].goal([]measure.Series{at("1", 100), at("8", 90)}).Met, "of messages that grow it is the bytes")
}

func TestCommandNamesNoFolders(t *testing.T) {
	require.Equal(t, "bin/compare --rounds 2 edge --for=8s", command([]string{"--dir", "/x", "--rounds", "2", "--jars=/y", "edge", "--for=8s", "--out", "z"}))
}

func TestProbesAreInDifferentPartitions(t *testing.T) {
	var at []int32
	for _, product := range probeProducts(8) {
		at = append(at, stream.PartitionOf(product, 8))
	}
	slices.Sort(at)
	require.Len(t, at, probesAt)
	require.Equal(t, at, slices.Compact(slices.Clone(at)))
	require.Len(t, probeProducts(1), 1)
}

func TestEdgeGoals(t *testing.T) {
	series := func(name string, v float64) measure.Series {
		return measure.Series{Name: name, Rounds: []measure.Values{{eventsPerSecond: v}}}
	}
	all := []measure.Series{series(ours, 90), series(rivals.Edges[0].Name, 100), series("other", 20)}
	for name, want := range map[string][]bool{"single-64": {false, false}, "batch-100": {true, false}, "batch-10": {false}} {
		var met []bool
		for _, g := range edgeGoals(shapes[slices.IndexFunc(shapes, func(s shape) bool { return s.name == name })], all) {
			met = append(met, g.Met)
		}
		require.Equal(t, want, met, name)
	}
}

// A run is fresh only if it kept up as well.
func TestIsFresh(t *testing.T) {
	require.True(t, isFresh(measure.Values{freshP99: 1999, unsent: 0}))
	require.False(t, isFresh(measure.Values{freshP99: 2000, unsent: 0}))
	require.False(t, isFresh(measure.Values{freshP99: 100, unsent: .01}))
}
