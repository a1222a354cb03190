//go:build linux

package main

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/bench/baselines"
	"github.com/millrace/millrace/bench/measure"
)

// report makes the section of what has been measured so far.
func (a *arena) report(s *measure.Section) {
	s.Text = []string{fmt.Sprintf("Each takes the same messages of %d products, in a closed loop: a connection sends when it has its answer. All write to %d partitions of "+
		"the same broker with acks=all, and answer when they have the acknowledgements. Only messages that are events are sent, so that all write "+
		"the same number of records. A turn counts for %s after %s. The load generator's own processor time is measured too: it is the same for all.", a.Products, edgePartitions, a.For, a.Warm)}
	s.Goals, s.Tables, s.Notes = nil, nil, slices.Clone(a.notes)
	chart := measure.Chart{Title: s.Title, Unit: eventsPerSecond}
	for _, shape := range shapes {
		series, measured := s.Raw[shape.name]
		if !measured {
			continue
		}
		s.Goals = append(s.Goals, edgeGoals(shape, series)...)
		s.Tables = append(s.Tables, edgeTable(shape, series))
		group := measure.Group{Title: shape.title}
		for _, one := range series {
			group.Bars = append(group.Bars, measure.Bar{Label: one.Name, Value: one.Of(eventsPerSecond), Ours: one.Name == ours})
		}
		chart.Groups = append(chart.Groups, group)
	}
	s.Charts = []measure.Chart{chart}
	for _, r := range baselines.Edges {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: %s", r.Name, r.Settings))
	}
}

func edgeTable(shape shape, series []measure.Series) measure.Table {
	quantities := []string{eventsPerSecond, cpuPerEvent, brokerPerEvent, loadPerEvent, p50, p99, memoryMiB}
	t := measure.Table{Title: shape.title, Columns: append(append([]string{""}, quantities...), "our events/s over theirs", "their processor time over ours")}
	for _, one := range series {
		row := []string{one.Name}
		for _, q := range quantities {
			row = append(row, one.Of(q).String())
		}
		if one.Name == ours {
			row = append(row, "", "")
		} else {
			row = append(row, series[0].Ratio(one, eventsPerSecond).String(), one.Ratio(series[0], cpuPerEvent).String())
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// edgeGoals compares our speed with what is wanted. Ours is the first of the series.
func edgeGoals(shape shape, series []measure.Series) (goals []measure.Goal) {
	limit := map[string]float64{"single-64": .95, "single-512": .95, "batch-100": .90}[shape.name]
	for _, one := range series[1:] {
		want := 5.0
		if one.Name == baselines.Edges[0].Name {
			want = limit
		}
		if want == 0 {
			continue
		}
		ratio := series[0].Ratio(one, eventsPerSecond)
		goals = append(goals, measure.Goal{
			What: fmt.Sprintf("%s: our events/s over those of %s", shape.title, one.Name),
			Want: fmt.Sprintf("at least %s", measure.Number(want)), Reached: ratio.String(), Met: ratio.Median >= want,
		})
	}
	return goals
}
