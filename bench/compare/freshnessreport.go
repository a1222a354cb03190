//go:build linux

package main

import (
	"fmt"

	"github.com/millrace/millrace/bench/measure"
)

// goalRate is the rate in events a second at which outcomes should be fresh on two cores.
const goalRate = 100_000

func (s *pipeline) report(section *measure.Section) {
	section.Text = []string{
		fmt.Sprintf("The load generator, the edge, %s, the loader with attribution and ClickHouse share "+
			"the machine. Batches of %d of %d products go to %d partitions in an open loop. Every %s a probe is sent to one of %d "+
			"partitions; freshness is the time from its 200 until a query of `outcomes`, one every %s, returns it. The search "+
			"takes steps of %s.",
			s.broker.Name, s.Batch, s.Products, s.Partitions, probeEvery, probePartitions, probePoll, s.Step),
	}
	runs := section.Raw["long"]
	long := runs[0].Rounds[0]
	reached := measure.Number(long[ratePerSecond])
	if !isFresh(long) {
		reached = "less than " + reached
	}
	section.Goals = []measure.Goal{{
		What:    fmt.Sprintf("events/s at which p99 freshness stays under %s for %s", freshGoal, s.For),
		Want:    fmt.Sprintf("at least %s for 5m", measure.Number(goalRate)),
		Reached: reached,
		Met:     isFresh(long) && long[ratePerSecond] >= goalRate && s.For.Minutes() >= 5,
	}}
	group := measure.Group{Title: "p99 at each rate, ms"}
	var steps []measure.Series // one for each step
	for _, search := range section.Raw["search"] {
		for _, v := range search.Rounds {
			steps = append(steps, measure.Series{Name: search.Name, Rounds: []measure.Values{v}})
			group.Bars = append(group.Bars, measure.Bar{
				Label: measure.Number(v[ratePerSecond]) + " events/s",
				Value: measure.Summarize(v[freshP99]), Ours: isFresh(v),
			})
		}
	}
	section.Tables = []measure.Table{measure.TableOf("", append(steps, runs...), []string{
		ratePerSecond, eventsPerSecond, freshP50, freshP99, freshMax, p50, p99,
		cpuPerEvent, brokerPerEvent, loaderPerEvent, storePerEvent, loadPerEvent, loaderMiB,
	})}
	if len(group.Bars) > 0 {
		section.BarCharts = []measure.BarChart{
			{Title: "How fresh outcomes are", Unit: "ms", Groups: []measure.Group{group}},
		}
	}
}
