//go:build linux

package main

import (
	"fmt"

	"github.com/millrace/millrace/bench/measure"
)

// flat is how much slower the slowest point of an axis may be than the fastest and the axis still count as flat.
const flat = .8

// whyNot says what makes an axis less than flat, where that is known.
var whyNot = map[string]string{
	"users": "a loader keeps the external ids that it met last, up to --identity-cache, and asks ClickHouse about the others, which costs more the more claims there are.",
	"size":  "from 750 bytes on the cost is that of the bytes. Those sizes are of random letters, which compress worse than real messages do.",
}

// report makes the section of the axes that have been measured so far.
func (w *ground) report(s *measure.Section) {
	s.Text = []string{
		fmt.Sprintf("One thing grows, and the others stay as they are: %d partitions, %d products and %s users by Zipf's law, messages of %d bytes on average, an empty table. All users and their browsers are known to ClickHouse "+
			"beforehand, and the first %s of them to the loader. A loader in its default settings takes a backlog of %s events (fewer where they are larger: %s bytes) from %s into ClickHouse, with attribution, on the same machine. "+
			"What is measured is from when it has a fifth of them to 98%%; then every event has to be in the table, once.",
			base.partitions, base.products, short(base.users), realBytes, short(inMemory), measure.Number(float64(w.Events)), measure.Number(float64(w.Bytes)), w.broker.Name),
		fmt.Sprintf("The edge takes batches over %d connections in a closed loop for %s at each point. Each point was measured once: the base is on every axis, and how it differs from one to the next says how far to trust a difference. "+
			"Where others used the machine meanwhile, what was reached is divided by the share of the processors that they left: that is \"if alone\".", edgeSenders, w.For),
	}
	s.Goals, s.Tables, s.Growth, s.Notes = nil, nil, nil, nil
	for i := range axes {
		a := &axes[i]
		series, measured := s.Raw[a.name]
		if !measured {
			continue
		}
		if a.unit == "" { // what is larger may cost more
			s.Goals = append(s.Goals, a.goal(series))
		}
		s.Tables = append(s.Tables, a.table(series))
		s.Growth = append(s.Growth, a.growth(series))
		if why := whyNot[a.name]; why != "" {
			s.Notes = append(s.Notes, a.heading()+": "+why)
		}
	}
}

func (a *axis) heading() string {
	if a.edge {
		return "The edge, by " + a.title
	}
	return "The loader, by " + a.title
}

// speed is what has to be flat: of messages that grow it is the bytes.
func (a *axis) speed() string {
	if a.unit != "" {
		return mbPerSecond
	}
	return alone
}

func (a *axis) goal(series []measure.Series) measure.Goal {
	least, most := series[0], series[0]
	for _, s := range series {
		if s.Of(a.speed()).Median < least.Of(a.speed()).Median {
			least = s
		}
		if s.Of(a.speed()).Median > most.Of(a.speed()).Median {
			most = s
		}
	}
	share := least.Of(a.speed()).Median / most.Of(a.speed()).Median
	return measure.Goal{
		What: fmt.Sprintf("%s: %s at the worst point over the best", a.heading(), a.speed()), Want: fmt.Sprintf("at least %s", measure.Number(flat)),
		Reached: fmt.Sprintf("%s (%s over %s)", measure.Number(share), least.Name, most.Name), Met: share >= flat,
	}
}

func (a *axis) quantities() []string {
	if a.edge {
		return []string{eventsPerSecond, alone, mbPerSecond, cpuPerEvent, brokerPerEvent, p50, p99, memoryMiB, readyAfter, strangeShare, idleShare}
	}
	return []string{eventsPerSecond, alone, mbPerSecond, loaderCPU, storeCPU, storeAll, rowsPerBlock, missed, firstCommit, loaderMiB, storeMiB, logBytes, wireBytes, diskBytes, strangeShare, idleShare}
}

func (a *axis) table(series []measure.Series) measure.Table {
	t := measure.Table{Title: a.heading(), Columns: []string{""}}
	var there []string
	for _, q := range a.quantities() {
		if series[0].Of(q).N > 0 {
			there = append(there, q)
		}
	}
	t.Columns = append(t.Columns, there...)
	for _, s := range series {
		row := []string{s.Name}
		for _, q := range there {
			row = append(row, s.Of(q).String())
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (a *axis) growth(series []measure.Series) measure.Growth {
	g := measure.Growth{Title: a.heading()}
	for _, s := range series {
		g.At = append(g.At, s.Name)
	}
	line := func(label, quantity string) measure.Line {
		l := measure.Line{Label: label}
		for _, s := range series {
			l.Values = append(l.Values, s.Of(quantity).Median)
		}
		return l
	}
	if a.edge {
		g.Panels = []measure.Panel{
			{Unit: a.speed(), Lines: []measure.Line{line("edge", a.speed())}},
			{Unit: "processor µs an event", Lines: []measure.Line{line("edge", cpuPerEvent), line("broker", brokerPerEvent)}},
			{Unit: "MiB", Lines: []measure.Line{line("edge", memoryMiB)}},
		}
		return g
	}
	g.Panels = []measure.Panel{
		{Unit: a.speed(), Lines: []measure.Line{line("loader", a.speed())}},
		{Unit: "processor µs an event", Lines: []measure.Line{line("loader", loaderCPU), line("ClickHouse", storeCPU)}},
		{Unit: "MiB", Lines: []measure.Line{line("loader", loaderMiB), line("ClickHouse", storeMiB)}},
	}
	return g
}
