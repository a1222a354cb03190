//go:build linux

package main

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/bench/baselines"
	"github.com/millrace/millrace/bench/measure"
)

// loaderOrder is the order of the rows, independent of when each was measured.
func loaderOrder() []string {
	names := []string{ours, withoutAttribution}
	for _, b := range baselines.Loaders {
		names = append(names, b.Name)
	}
	return names
}

// report fills the section with the contenders that have been measured.
func (t *loaderComparison) report(s *measure.Section) {
	series := s.Raw[loaderSeries]
	order := loaderOrder()
	slices.SortFunc(
		series,
		func(a, b measure.Series) int { return slices.Index(order, a.Name) - slices.Index(order, b.Name) },
	)
	s.Text = []string{
		fmt.Sprintf(
			"Each loads the same topic of %s events of %d products and %s users in %d partitions into all columns of "+
				"an empty `events` table, in a ClickHouse that was just started. A round ends when every event is stored. Events/s "+
				"count from the first rows on: the start-up time has its own column. Processor time counts from the start, "+
				"including merges during the round; memory is the peak of the round.",
			measure.Number(float64(t.Events)),
			t.Products,
			measure.Number(float64(t.Users)),
			t.Partitions,
		),
		"Only Millrace attributes each event to its user and organization. It knows the users: an earlier run on the same " +
			"topic stored them in ClickHouse, from which a loader with an empty memory reads them. All but the limit read Kafka.",
	}
	s.Goals, s.Notes = loaderGoals(series), slices.Clone(t.notes)
	s.Tables = []measure.Table{loaderTable(series)}
	s.BarCharts = []measure.BarChart{{Title: s.Title, Groups: []measure.Group{
		measure.GroupOf(eventsPerSecond, series, eventsPerSecond, ours, withoutAttribution),
		measure.GroupOf(bothPerMillion, series, bothPerMillion, ours, withoutAttribution),
	}}}
	for _, b := range baselines.Loaders {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: %s", b.Name, b.Settings))
	}
}

func loaderTable(series []measure.Series) measure.Table {
	if len(series) == 0 {
		return measure.Table{Columns: []string{""}}
	}
	quantities := []string{
		eventsPerSecond, loaderPerMillion, storePerMillion, bothPerMillion, brokerPerMillion,
		loaderMiB, storeMiB, firstSeconds, partsLeft,
	}
	return measure.TableOf("", series, quantities,
		besideOurs("our events/s over theirs", series[0], func(us, them measure.Series) measure.Summary {
			return us.Ratio(them, eventsPerSecond)
		}),
		besideOurs("their CPU, both, over ours", series[0], func(us, them measure.Series) measure.Summary {
			return them.Ratio(us, bothPerMillion)
		}))
}

// loaderGoals compares Millrace with attribution, which is the first of the series, with the goals.
func loaderGoals(series []measure.Series) (goals []measure.Goal) {
	if len(series) == 0 || series[0].Name != ours {
		return nil
	}
	for _, b := range baselines.Loaders {
		at := slices.IndexFunc(series, func(s measure.Series) bool { return s.Name == b.Name })
		if at < 0 {
			continue
		}
		speed := series[0].Ratio(series[at], eventsPerSecond)
		goals = append(goals, measure.AtLeast("our events/s over those of "+b.Name, b.Goal, speed))
		if b.Less {
			cpu := series[0].Ratio(series[at], bothPerMillion)
			goals = append(goals, measure.Goal{
				What: "our processor time, with ClickHouse's, over that of " + b.Name,
				Want: "less than 1", Reached: cpu.String(), Met: cpu.Median < 1,
			})
		}
	}
	return goals
}
