//go:build linux

package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/millrace/millrace/bench/measure"
)

// flatShare is the goal for the slowest point of an axis: its share of the fastest point.
const flatShare = .8

// reasons explains axes that are not flat.
var reasons = map[string]string{
	"users": "a loader caches the external ids that it used last, up to --identity-cache, and queries ClickHouse for the " +
		"others. A query costs more the more claims there are.",
	"size": "from 750 bytes on the cost is that of the bytes. These messages contain random letters, which compress worse " +
		"than real messages.",
}

// report fills the section with the axes that have been measured.
func (w *growth) report(s *measure.Section) {
	s.Text = []string{
		fmt.Sprintf(
			"One quantity grows, and the others stay: %d partitions, %d products and %s users by Zipf's law, messages "+
				"of %d bytes on average, an empty table. ClickHouse knows all users and their browsers at the start, and the loader "+
				"the first %s of them. A loader with default settings loads a backlog of %s events (fewer if they are larger: %s "+
				"bytes) from %s into ClickHouse, with attribution, on the same machine. The measurement covers the events from 20%% "+
				"to 98%%; then every event must be in the table, once.",
			base.partitions,
			base.products,
			short(base.users),
			realisticBytes,
			short(usersInMemory),
			measure.Number(float64(w.Events)),
			measure.Number(float64(w.Bytes)),
			w.broker.Name,
		),
		fmt.Sprintf(
			"The edge takes batches over %d connections in a closed loop for %s at each point. Each point was measured "+
				"once: the base is on every axis, and its differences between axes show the error of the measurement. \"If alone\" "+
				"is the throughput divided by the share of the processors that other programs left.",
			edgeSenders,
			w.For,
		),
	}
	s.Goals, s.Tables, s.LineCharts, s.Notes = nil, nil, nil, nil
	for i := range axes {
		a := &axes[i]
		series, measured := s.Raw[a.name]
		if !measured {
			continue
		}
		if a.unit == "" { // larger messages may cost more
			s.Goals = append(s.Goals, a.goal(series))
		}
		s.Tables = append(s.Tables, measure.TableOf(a.heading(), series, a.quantities()))
		s.LineCharts = append(s.LineCharts, a.chart(series))
		if reason := reasons[a.name]; reason != "" {
			s.Notes = append(s.Notes, a.heading()+": "+reason)
		}
	}
}

func (a *axis) heading() string {
	if a.edge {
		return "The edge, by " + a.title
	}
	return "The loader, by " + a.title
}

// speed is the quantity that should be flat: bytes if messages grow, otherwise events.
func (a *axis) speed() string {
	if a.unit != "" {
		return mbPerSecond
	}
	return ifAlone
}

func (a *axis) goal(series []measure.Series) measure.Goal {
	bySpeed := func(x, y measure.Series) int { return cmp.Compare(x.Of(a.speed()).Median, y.Of(a.speed()).Median) }
	slowest, fastest := slices.MinFunc(series, bySpeed), slices.MaxFunc(series, bySpeed)
	share := measure.Summarize(slowest.Of(a.speed()).Median / fastest.Of(a.speed()).Median)
	goal := measure.AtLeast(a.heading()+": "+a.speed()+" of the slowest point over the fastest", flatShare, share)
	goal.Reached += fmt.Sprintf(" (%s over %s)", slowest.Name, fastest.Name)
	return goal
}

func (a *axis) quantities() []string {
	if a.edge {
		return []string{
			eventsPerSecond, ifAlone, mbPerSecond, cpuPerEvent, brokerPerEvent, p50, p99, memoryMiB, readySeconds,
			othersShare, idleShare,
		}
	}
	return []string{
		eventsPerSecond,
		ifAlone,
		mbPerSecond,
		loaderPerEvent,
		storePerEvent,
		storeAll,
		rowsPerBlock,
		lookedUp,
		firstCommit,
		loaderMiB,
		storeMiB,
		logBytes,
		wireBytes,
		diskBytes,
		othersShare,
		idleShare,
	}
}

func (a *axis) chart(series []measure.Series) measure.LineChart {
	c := measure.LineChart{Title: a.heading()}
	for _, s := range series {
		c.At = append(c.At, s.Name)
	}
	line := func(label, quantity string) measure.Line { return measure.LineOf(label, series, quantity) }
	const perEvent = "processor µs an event"
	if a.edge {
		c.Panels = []measure.Panel{
			{Unit: a.speed(), Lines: []measure.Line{line("edge", a.speed())}},
			{Unit: perEvent, Lines: []measure.Line{line("edge", cpuPerEvent), line("broker", brokerPerEvent)}},
			{Unit: "MiB", Lines: []measure.Line{line("edge", memoryMiB)}},
		}
		return c
	}
	c.Panels = []measure.Panel{
		{Unit: a.speed(), Lines: []measure.Line{line("loader", a.speed())}},
		{Unit: perEvent, Lines: []measure.Line{line("loader", loaderPerEvent), line("ClickHouse", storePerEvent)}},
		{Unit: "MiB", Lines: []measure.Line{line("loader", loaderMiB), line("ClickHouse", storeMiB)}},
	}
	return c
}
