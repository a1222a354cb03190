//go:build linux

package main

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/bench/baselines"
	"github.com/millrace/millrace/bench/measure"
)

// report fills the section with the shapes that have been measured.
func (a *edgeComparison) report(s *measure.Section) {
	s.Text = []string{fmt.Sprintf("Each takes the same messages of %d products, in a closed loop: a connection sends when "+
		"it has its answer. All write to %d partitions of the same broker with acks=all, and answer when they have the "+
		"acknowledgements. All messages are events, so that all write the same number of records. A round lasts %s after "+
		"%s of warm-up. The load generator's own processor time is measured too: it is the same for all.",
		a.Products, edgePartitions, a.For, a.Warm)}
	s.Goals, s.Tables, s.Notes = nil, nil, slices.Clone(a.notes)
	chart := measure.BarChart{Title: s.Title, Unit: eventsPerSecond}
	for _, shape := range shapes {
		series, measured := s.Raw[shape.name]
		if !measured {
			continue
		}
		s.Goals = append(s.Goals, edgeGoals(shape, series)...)
		s.Tables = append(s.Tables, edgeTable(shape, series))
		chart.Groups = append(chart.Groups, measure.GroupOf(shape.title, series, eventsPerSecond, ours))
	}
	s.BarCharts = []measure.BarChart{chart}
	for _, b := range baselines.Edges {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: %s", b.Name, b.Settings))
	}
}

func edgeTable(shape shape, series []measure.Series) measure.Table {
	quantities := []string{eventsPerSecond, cpuPerEvent, brokerPerEvent, loadPerEvent, p50, p99, memoryMiB}
	return measure.TableOf(shape.title, series, quantities,
		besideOurs("our events/s over theirs", series[0], func(us, them measure.Series) measure.Summary {
			return us.Ratio(them, eventsPerSecond)
		}),
		besideOurs("their processor time over ours", series[0], func(us, them measure.Series) measure.Summary {
			return them.Ratio(us, cpuPerEvent)
		}))
}

// besideOurs is a column that compares each series with ours, and is empty in our own row and where ours is missing.
func besideOurs(name string, us measure.Series, ratio func(us, them measure.Series) measure.Summary) measure.Column {
	return measure.Column{Name: name, Cell: func(them measure.Series) string {
		if us.Name != ours || them.Name == ours {
			return ""
		}
		return ratio(us, them).String()
	}}
}

// edgeGoals compares our throughput with the goals. Ours is the first of the series.
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
		what := fmt.Sprintf("%s: our events/s over those of %s", shape.title, one.Name)
		goals = append(goals, measure.AtLeast(what, want, series[0].Ratio(one, eventsPerSecond)))
	}
	return goals
}
