//go:build linux

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// report prints the table.
func report(to io.Writer, w *world, s *storm, o *watch, v *verdict, took time.Duration) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nfault\tmade\tskipped\tgoes on after the fault: median\tmax\tafter it was healed: median\tmax\n")
	made := 0
	for _, name := range slices.Sorted(maps.Keys(s.by)) {
		h := s.by[name]
		made += h.made
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%s", name, h.made, h.skipped, middle(h.sinceFault), most(h.sinceFault), middle(h.sinceHeal), most(h.sinceHeal))
		if h.failed+h.never > 0 {
			fmt.Fprintf(t, "\t%d not made or healed as meant, %d not recovered from", h.failed, h.never)
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintf(t, "all\t%d\n\n", made)
	_ = t.Flush()

	crashes := 0
	for _, p := range append(slices.Clone(w.edges), w.loaders...) {
		crashes += p.crashed()
	}
	for _, line := range []struct {
		what  string
		value any
	}{
		{"events sent", v.sent}, {"events answered with 200", v.acked}, {"events sent more than once", v.resent}, {"outcomes", v.stored},
		{"lost", v.lost}, {"doubled in outcomes", v.doubled}, {"never sent", v.never}, {"not as they should be", v.wrong},
		{"people with two ids", v.users}, {"dead letters", v.deadLetters}, {"answers that nothing excuses", v.answers},
		{"rows of events without FINAL", v.rows}, {"second rows made by us", v.secondRows}, {"rows written again by attribution", v.revised},
		{"records not loaded in time", v.unloaded}, {"processes that ended by themselves", crashes},
		{"peak memory of an edge, MiB", o.peaks["edge"] >> 20}, {"peak memory of a loader, MiB", o.peaks["loader"] >> 20}, {"peak memory of ClickHouse, MiB", o.peaks["ClickHouse"] >> 20},
		{"the whole run took", took.Round(time.Second)},
	} {
		fmt.Fprintf(t, "%s\t%v\n", line.what, line.value)
	}
	_ = t.Flush()
	fmt.Fprintf(to, "answers by status: %v\n", w.ledger.statuses)
	if w.brokers.cluster != nil {
		fmt.Fprintf(to, "a full disk is a %s\n", w.brokers.disk.how())
	}
	for _, finding := range v.findings {
		fmt.Fprintln(to, "FOUND", finding)
	}
}

func middle(list []time.Duration) string {
	if len(list) == 0 {
		return "-"
	}
	return slices.Sorted(slices.Values(list))[len(list)/2].Round(100 * time.Millisecond).String()
}

func most(list []time.Duration) string {
	if len(list) == 0 {
		return "-"
	}
	return slices.Max(list).Round(100 * time.Millisecond).String()
}
