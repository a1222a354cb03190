package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/millrace/millrace/pkg/stream"
)

// follow shows how far a replay is until stop is called, which tells how long it took.
func (c *replayCommand) follow(r *stream.Replay) (stop func() time.Duration) {
	began, done := time.Now(), make(chan struct{})
	report := newReport(os.Stderr)
	every := liveEveryFile
	if report.terminal {
		every = liveEvery
	}
	var showing sync.WaitGroup
	showing.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				report.status(c.progress(r.Progress(), time.Since(began)))
			case <-done:
				if report.terminal {
					report.status("")
				}
				return
			}
		}
	})
	return func() time.Duration {
		close(done)
		showing.Wait()
		return time.Since(began)
	}
}

func (c *replayCommand) verb() string {
	if c.DryRun {
		return "to replay"
	}
	return "replayed"
}

// progress is one line. The time left is reckoned from what has been read so far.
func (c *replayCommand) progress(p stream.ReplayProgress, took time.Duration) string {
	left := "?"
	if p.Read > 0 {
		left = (took * time.Duration(p.Total-p.Read) / time.Duration(p.Read)).Round(time.Second).String()
	}
	return fmt.Sprintf(
		"read %d of %d · %s %d · %.0f/s · %d behind, %s left",
		p.Read,
		p.Total,
		c.verb(),
		p.Verdicts[stream.Selected],
		float64(p.Read)/took.Seconds(),
		p.Total-p.Read,
		left,
	)
}

// chosenShown bounds the products that are listed, those with most records first.
const chosenShown = 50

// summary tells what was done, or would be.
func (c *replayCommand) summary(w io.Writer, p stream.ReplayProgress, took time.Duration) error {
	if c.DryRun {
		fmt.Fprintf(
			w,
			"Of %d records, %d would be replayed. Nothing was written.\n",
			p.Read,
			p.Verdicts[stream.Selected],
		)
	} else {
		fmt.Fprintf(
			w,
			"Of %d records, %d were replayed, in %s.\n",
			p.Read,
			p.Verdicts[stream.Selected],
			took.Round(10*time.Millisecond),
		)
	}
	for _, left := range []struct {
		verdict stream.Verdict
		why     string
	}{
		{stream.OtherProduct, "of other products"},
		{stream.OtherReason, "dead letters of other reasons"},
		{stream.AlreadySelected, "copies or dead letters of records that are replayed themselves"},
		{stream.TooLarge, "too large for the ingest topic"},
	} {
		if n := p.Verdicts[left.verdict]; n > 0 {
			fmt.Fprintf(w, "Left out: %d %s.\n", n, left.why)
		}
	}
	if len(p.ByGroup) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nWORKSPACE\tPRODUCT\tKIND\tRECORDS")
	list := slices.SortedFunc(maps.Keys(p.ByGroup), func(a, b stream.ReplayGroup) int {
		return cmp.Or(cmp.Compare(p.ByGroup[b], p.ByGroup[a]), cmp.Compare(a.Workspace, b.Workspace),
			cmp.Compare(a.Product, b.Product), cmp.Compare(a.Kind, b.Kind))
	})
	for _, chosen := range list[:min(len(list), chosenShown)] {
		kind := string(chosen.Kind)
		if chosen.FromDeadLetter {
			kind += ", dead letter"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\n", chosen.Workspace, chosen.Product, kind, p.ByGroup[chosen])
	}
	if more := len(list) - chosenShown; more > 0 {
		fmt.Fprintf(table, "and %d lines more\n", more)
	}
	return table.Flush()
}
