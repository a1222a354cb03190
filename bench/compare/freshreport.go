//go:build linux

package main

import (
	"fmt"

	"github.com/millrace/millrace/bench/measure"
)

// goalRate is the events a second at which outcomes have to be fresh on two cores.
const goalRate = 100_000

func (s *station) report(section *measure.Section, long, half measure.Values) {
	section.Text = []string{fmt.Sprintf("The load generator, the edge, %s, the loader with attribution and ClickHouse share the machine. Batches of %d of %d products go to %d partitions in an open "+
		"loop. Every %s a probe is sent to one of %d partitions; fresh is the time from its 200 until a query of `outcomes`, one every %s, has it. The search takes steps of %s.",
		s.broker.Name, s.Batch, s.Products, s.Partitions, probeEvery, probesAt, probePoll, s.Step)}
	section.Goals = []measure.Goal{{
		What: fmt.Sprintf("events/s at which p99 freshness stays under %s for %s", freshGoal, s.For), Want: fmt.Sprintf("at least %s for 5m", measure.Number(goalRate)),
		Reached: map[bool]string{true: measure.Number(long[ratePerSecond]), false: "less than " + measure.Number(long[ratePerSecond])}[isFresh(long)],
		Met:     isFresh(long) && long[ratePerSecond] >= goalRate && s.For.Minutes() >= 5,
	}}
	quantities := []string{ratePerSecond, eventsPerSecond, freshP50, freshP99, freshMost, p50, p99, cpuPerEvent, brokerPerEvent, loaderCPU, storeCPU, loadPerEvent, loaderMiB}
	t := measure.Table{Columns: append([]string{""}, quantities...)}
	row := func(name string, v measure.Values) {
		cells := []string{name}
		for _, q := range quantities {
			cells = append(cells, measure.Number(v[q]))
		}
		t.Rows = append(t.Rows, cells)
	}
	group := measure.Group{Title: "p99 at each rate, ms"}
	for _, searched := range section.Raw["search"] {
		for _, v := range searched.Rounds {
			row("search", v)
			group.Bars = append(group.Bars, measure.Bar{Label: measure.Number(v[ratePerSecond]) + " events/s", Value: measure.SpreadOf(v[freshP99]), Ours: isFresh(v)})
		}
	}
	row(s.For.String(), long)
	row("half, "+s.Half.String(), half)
	section.Tables = []measure.Table{t}
	if len(group.Bars) > 0 {
		section.Charts = []measure.Chart{{Title: "How fresh outcomes are", Unit: "ms", Groups: []measure.Group{group}}}
	}
}
