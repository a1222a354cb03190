//go:build linux

package main

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/bench/baselines"
	"github.com/millrace/millrace/bench/measure"
)

// loaderOrder is the order of the columns, whoever was measured when.
func loaderOrder() []string {
	names := []string{ours, withoutAttribution}
	for _, r := range baselines.Loaders {
		names = append(names, r.Name)
	}
	return names
}

// report makes the section of what has been measured so far.
func (t *track) report(s *measure.Section) {
	series := s.Raw[turns]
	order := loaderOrder()
	slices.SortFunc(series, func(a, b measure.Series) int { return slices.Index(order, a.Name) - slices.Index(order, b.Name) })
	s.Text = []string{
		fmt.Sprintf("Each takes the same topic of %s events of %d products and %s users in %d partitions into all columns of an empty `events` table, in a ClickHouse that was just "+
			"started. A turn ends when every event is there. Events/s are those after the first rows, by the time since these: what a program needs for its start is in a column of its own. "+
			"Processor time is all from the start on, that of merges during the turn too; memory is the most in the turn.", measure.Number(float64(t.Events)), t.Products, measure.Number(float64(t.Users)), t.Partitions),
		"Millrace attributes each event to its user and organization, which nobody else does. The users are known to it: an earlier run on the same topic has written them to ClickHouse, from where " +
			"a loader with an empty memory takes them. All but the limit read Kafka.",
	}
	s.Goals, s.Notes = loaderGoals(series), slices.Clone(t.notes)
	s.Tables = []measure.Table{loaderTable(series)}
	speed, cpu := measure.Group{Title: eventsPerSecond}, measure.Group{Title: bothPerMillion}
	for _, one := range series {
		mine := one.Name == ours || one.Name == withoutAttribution
		speed.Bars = append(speed.Bars, measure.Bar{Label: one.Name, Value: one.Of(eventsPerSecond), Ours: mine})
		cpu.Bars = append(cpu.Bars, measure.Bar{Label: one.Name, Value: one.Of(bothPerMillion), Ours: mine})
	}
	s.Charts = []measure.Chart{{Title: s.Title, Groups: []measure.Group{speed, cpu}}}
	for _, r := range baselines.Loaders {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: %s", r.Name, r.Settings))
	}
}

func loaderTable(series []measure.Series) measure.Table {
	quantities := []string{eventsPerSecond, loaderPerMillion, storePerMillion, bothPerMillion, brokerPerMillion, loaderMiB, storeMiB, firstSeconds, partsLeft}
	t := measure.Table{Columns: append(append([]string{""}, quantities...), "our events/s over theirs", "their CPU, both, over ours")}
	for _, one := range series {
		row := []string{one.Name}
		for _, q := range quantities {
			row = append(row, one.Of(q).String())
		}
		if series[0].Name != ours || one.Name == ours {
			row = append(row, "", "")
		} else {
			row = append(row, series[0].Ratio(one, eventsPerSecond).String(), one.Ratio(series[0], bothPerMillion).String())
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// loaderGoals compares Millrace with attribution, which is the first of the series, with what is wanted.
func loaderGoals(series []measure.Series) (goals []measure.Goal) {
	if len(series) == 0 || series[0].Name != ours {
		return nil
	}
	for _, r := range baselines.Loaders {
		at := slices.IndexFunc(series, func(s measure.Series) bool { return s.Name == r.Name })
		if at < 0 {
			continue
		}
		ratio := series[0].Ratio(series[at], eventsPerSecond)
		goals = append(goals, measure.Goal{What: "our events/s over those of " + r.Name, Want: "at least " + measure.Number(r.Goal), Reached: ratio.String(), Met: ratio.Median >= r.Goal})
		if r.Less {
			cpu := series[0].Ratio(series[at], bothPerMillion)
			goals = append(goals, measure.Goal{What: "our processor time, with ClickHouse's, over that of " + r.Name, Want: "less than 1", Reached: cpu.String(), Met: cpu.Median < 1})
		}
	}
	return goals
}
