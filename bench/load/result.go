//go:build linux

package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what came of a run.
type Result struct {
	Requests int // answered with 200 in the time that counts
	Messages int // in those
	For      time.Duration
	Refused  map[int]int // requests, by status, of the whole run; 0 where no answer came
	Unsent   int         // requests that were due and could not be sent before the end, in an open loop
	OwnCPU   time.Duration

	latency *hdrhistogram.Histogram
}

func (r *run) sum(workers []*worker, own time.Duration) *Result {
	all := &Result{For: r.For, Refused: map[int]int{}, OwnCPU: own, latency: hdrhistogram.New(leastMicros, mostMicros, digits)}
	for _, w := range workers {
		all.Requests += w.answered
		all.Messages += w.messages
		all.Unsent += w.unsent
		all.latency.Merge(w.latency)
		for status, n := range w.refused {
			all.Refused[status] += n
		}
	}
	if r.Rate > 0 {
		// What nobody came to: every connection was busy until the end.
		due := int(r.Rate * r.end.Sub(r.start).Seconds())
		all.Unsent += max(0, due-int(r.next.Load()))
	}
	return all
}

// MessagesPerSecond is how many were taken.
func (r *Result) MessagesPerSecond() float64 { return float64(r.Messages) / r.For.Seconds() }

// Latency is what so many percent of the requests were answered in at most.
func (r *Result) Latency(percent float64) time.Duration {
	return time.Duration(r.latency.ValueAtPercentile(percent)) * time.Microsecond
}

// Err is what kept the run from being a measurement of anything.
func (r *Result) Err() error {
	switch {
	case len(r.Refused) > 0:
		return fmt.Errorf("requests were refused: %s", r.refusals())
	case r.Requests == 0:
		return fmt.Errorf("no request was answered within %s", r.For)
	}
	return nil
}

func (r *Result) refusals() string {
	var all []string
	for _, status := range slices.Sorted(maps.Keys(r.Refused)) {
		what := fmt.Sprint(status)
		if status == 0 {
			what = "no answer"
		}
		all = append(all, fmt.Sprintf("%d with %s", r.Refused[status], what))
	}
	return strings.Join(all, ", ")
}

// String is for people.
func (r *Result) String() string {
	text := fmt.Sprintf("%.0f messages/s in %.0f requests/s; answered in %s (p50), %s (p99), %s (most); %.1f µs a message of the generator's own processor time",
		r.MessagesPerSecond(), float64(r.Requests)/r.For.Seconds(), r.Latency(50), r.Latency(99), r.Latency(100), float64(r.OwnCPU.Microseconds())/float64(max(1, r.Messages)))
	if r.Unsent > 0 {
		text += fmt.Sprintf("; %d requests were due and could not be sent", r.Unsent)
	}
	if len(r.Refused) > 0 {
		text += "; refused: " + r.refusals()
	}
	return text
}
