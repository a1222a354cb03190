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

// Result is the result of a run.
type Result struct {
	Requests int // answered with 200 in the measured time
	Messages int // in these requests
	For      time.Duration
	Refused  map[int]int // requests of the whole run by status; 0 without an answer
	Unsent   int         // due requests that were not sent before the end, in an open loop
	OwnCPU   time.Duration

	latency *hdrhistogram.Histogram
}

func (r *run) sum(workers []*worker, own time.Duration) *Result {
	all := &Result{
		For: r.For, Refused: map[int]int{}, OwnCPU: own,
		latency: hdrhistogram.New(minMicros, maxMicros, digits),
	}
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
		// Requests for which no connection was free until the end.
		due := int(r.Rate * r.end.Sub(r.start).Seconds())
		all.Unsent += max(0, due-int(r.next.Load()))
	}
	return all
}

// MessagesPerSecond is the throughput of acknowledged messages.
func (r *Result) MessagesPerSecond() float64 { return float64(r.Messages) / r.For.Seconds() }

// Latency is a percentile of the latencies of requests.
func (r *Result) Latency(percent float64) time.Duration {
	return time.Duration(r.latency.ValueAtPercentile(percent)) * time.Microsecond
}

// Err returns an error if requests were refused or none was answered, which makes the run useless as a measurement.
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

// String summarizes the result in one line.
func (r *Result) String() string {
	text := fmt.Sprintf("%.0f messages/s in %.0f requests/s; latency %s (p50), %s (p99), %s (max); "+
		"%.1f µs of the generator's processor time per message",
		r.MessagesPerSecond(), float64(r.Requests)/r.For.Seconds(), r.Latency(50), r.Latency(99), r.Latency(100),
		float64(r.OwnCPU.Microseconds())/float64(max(1, r.Messages)))
	if r.Unsent > 0 {
		text += fmt.Sprintf("; %d due requests were not sent", r.Unsent)
	}
	if len(r.Refused) > 0 {
		text += "; refused: " + r.refusals()
	}
	return text
}
