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
func report(to io.Writer, sys *system, s *faultRun, o *watch, v *result, took time.Duration) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nfault\tinjected\tskipped\trecovery from the fault: median\tmax\tfrom its end: median\tmax\n")
	made := 0
	for _, name := range slices.Sorted(maps.Keys(s.stats)) {
		h := s.stats[name]
		made += h.made
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%s", name, h.made, h.skipped,
			median(h.afterFault), longest(h.afterFault), median(h.afterHeal), longest(h.afterHeal))
		if h.failed+h.unrecovered > 0 {
			fmt.Fprintf(t, "\t%d not injected or healed completely, %d without recovery", h.failed, h.unrecovered)
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintf(t, "all\t%d\n\n", made)
	_ = t.Flush()

	crashes := 0
	for _, p := range append(slices.Clone(sys.edges), sys.loaders...) {
		crashes += p.crashCount()
	}
	for _, line := range []struct {
		what  string
		value any
	}{
		{"events sent", v.sent},
		{"events answered with 200", v.acked},
		{"events sent more than once", v.sentTwice},
		{"outcomes", v.stored},
		{"lost", v.lost},
		{"duplicate outcomes", v.duplicates},
		{"outcomes never sent", v.neverSent},
		{"wrong outcomes", v.wrong},
		{"users with two ids", v.splitUsers},
		{"dead letters", v.deadLetters},
		{"unexplained answers", v.badAnswers},
		{"rows of events without FINAL", v.rows},
		{"duplicate rows of ours", v.secondRows},
		{"rows revised by attribution", v.revised},
		{"records not loaded in time", v.notLoaded},
		{"unexpected ends of processes", crashes},
		{"peak memory of an edge, MiB", o.peaks["edge"] >> 20},
		{"peak memory of a loader, MiB", o.peaks["loader"] >> 20},
		{"peak memory of ClickHouse, MiB", o.peaks["ClickHouse"] >> 20},
		{"duration of the run", took.Round(time.Second)},
	} {
		fmt.Fprintf(t, "%s\t%v\n", line.what, line.value)
	}
	_ = t.Flush()
	fmt.Fprintf(to, "answers by status: %v\n", sys.ledger.statuses)
	if sys.brokers.cluster != nil {
		fmt.Fprintf(to, "a full disk is a %s\n", sys.brokers.disk.method())
	}
	for _, finding := range v.findings {
		fmt.Fprintln(to, "FAILED:", finding)
	}
}

func median(list []time.Duration) string {
	if len(list) == 0 {
		return "-"
	}
	return slices.Sorted(slices.Values(list))[len(list)/2].Round(100 * time.Millisecond).String()
}

func longest(list []time.Duration) string {
	if len(list) == 0 {
		return "-"
	}
	return slices.Max(list).Round(100 * time.Millisecond).String()
}
