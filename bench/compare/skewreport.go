//go:build linux

package main

import (
	"fmt"

	"github.com/millrace/millrace/bench/measure"
)

// How near to an even load a hot product has to come when it is spread.
const (
	skewSpeed     = .95
	skewFreshness = 1.25
)

// report compares with the even load, which is the first of the series; the second is the one that is spread.
func (s *skewed) report(section *measure.Section, series []measure.Series) {
	even, salted := series[0], series[1]
	section.Text = []string{fmt.Sprintf("%d products, as many in each of %d partitions of %s, and %d loaders with attribution. Even: each product has as many messages. Hot: one has %.0f %% of them, in its own "+
		"partition or spread over all. Each turn sends a backlog for %s, then starts the loaders and sees how fast they load it, and then sends %s events/s for %s in an open loop, with probes "+
		"to products in partitions other than the hot one's: fresh is the time from a probe's 200 until a query of `outcomes` has it.",
		s.Products, s.Partitions, s.broker.Name, s.Loaders, s.Hot*100, s.Fill, measure.Number(s.Rate), s.For)}
	speed, fresh := salted.Ratio(even, backlogPerSecond), salted.Ratio(even, freshP99)
	section.Goals = []measure.Goal{
		{What: fmt.Sprintf("%.0f %% to one product, spread: its backlog's events/s over the even load's", s.Hot*100),
			Want: fmt.Sprintf("at least %s", measure.Number(skewSpeed)), Reached: speed.String(), Met: speed.Median >= skewSpeed},
		{What: "the same: p99 freshness of the others over the even load's",
			Want: fmt.Sprintf("at most %s", measure.Number(skewFreshness)), Reached: fresh.String(), Met: fresh.Median <= skewFreshness},
	}
	quantities := []string{backlogPerSecond, eventsPerSecond, p99, freshP50, freshP99}
	t := measure.Table{Columns: append(append([]string{""}, quantities...), "backlog over even", "fresh p99 over even")}
	chart := measure.Group{Title: "a backlog"}
	for _, one := range series {
		row := []string{one.Name}
		for _, q := range quantities {
			row = append(row, one.Of(q).String())
		}
		t.Rows = append(t.Rows, append(row, one.Ratio(even, backlogPerSecond).String(), one.Ratio(even, freshP99).String()))
		chart.Bars = append(chart.Bars, measure.Bar{Label: one.Name, Value: one.Of(backlogPerSecond), Ours: one.Name == salted.Name})
	}
	section.Tables = []measure.Table{t}
	section.Charts = []measure.Chart{{Title: section.Title, Unit: eventsPerSecond, Groups: []measure.Group{chart}}}
}
