//go:build linux

package main

import (
	"fmt"

	"github.com/millrace/millrace/bench/measure"
)

// Goals for a salted hot product, compared with an even load.
const (
	skewSpeed     = .95
	skewFreshness = 1.25
)

// report compares with the even load, which is the first of the series; the second is the salted one.
func (s *skewComparison) report(section *measure.Section, series []measure.Series) {
	even, salted := series[0], series[1]
	section.Text = []string{fmt.Sprintf("%d products, the same number in each of %d partitions of %s, and %d loaders with "+
		"attribution. Even: each product has the same number of messages. Hot: one product has %.0f %% of them, in its own "+
		"partition or salted over all. Each round sends a backlog for %s, then starts the loaders and measures how fast they "+
		"load it, and then sends %s events/s for %s in an open loop, with probes to products in other partitions than the hot "+
		"product's: freshness is the time from a probe's 200 until a query of `outcomes` returns it.",
		s.Products, s.Partitions, s.broker.Name, s.Loaders, s.Hot*100, s.Fill, measure.Number(s.Rate), s.For)}
	fresh := salted.Ratio(even, freshP99)
	section.Goals = []measure.Goal{
		measure.AtLeast(fmt.Sprintf("%.0f %% to one product, salted: its backlog's events/s over the even load's", s.Hot*100),
			skewSpeed, salted.Ratio(even, backlogPerSecond)),
		{
			What: "the same: p99 freshness of the other products over the even load's",
			Want: "at most " + measure.Number(skewFreshness), Reached: fresh.String(), Met: fresh.Median <= skewFreshness,
		},
	}
	overEven := func(quantity string) func(measure.Series) string {
		return func(one measure.Series) string { return one.Ratio(even, quantity).String() }
	}
	section.Tables = []measure.Table{measure.TableOf("", series,
		[]string{backlogPerSecond, eventsPerSecond, p99, freshP50, freshP99},
		measure.Column{Name: "backlog over even", Cell: overEven(backlogPerSecond)},
		measure.Column{Name: "fresh p99 over even", Cell: overEven(freshP99)})}
	section.BarCharts = []measure.BarChart{{Title: section.Title, Unit: eventsPerSecond, Groups: []measure.Group{
		measure.GroupOf("a backlog", series, backlogPerSecond, salted.Name),
	}}}
}
