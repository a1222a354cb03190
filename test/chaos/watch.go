//go:build linux

package main

import (
	"context"
	"sync"
	"time"

	"github.com/millrace/millrace/bench/measure"
)

// Interval between readings of offsets and memory, time-out of a reading, and age of the oldest reading that is kept.
const (
	watchPoll    = 200 * time.Millisecond
	watchTimeout = 2 * time.Second
	watchWindow  = 5 * time.Minute
)

// seen is one reading of the group's offsets.
type offsets struct {
	asked, at time.Time
	committed map[int32]int64
}

// watch records progress, answers and memory during the faults.
type watch struct {
	*system

	mu      sync.Mutex
	seen    []offsets
	okTimes [edges][]time.Time // starts of requests that were answered with 200, one of each poll
	peaks   map[string]int64   // resident bytes by kind of process
}

func newWatch(sys *system) *watch { return &watch{system: sys, peaks: map[string]int64{}} }

func (o *watch) run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { o.every(ctx, o.readOffsets) })
	all.Go(func() { o.every(ctx, o.readMemory) })
	all.Wait()
}

func (o *watch) every(ctx context.Context, do func(context.Context)) {
	for ctx.Err() == nil {
		do(ctx)
		time.Sleep(watchPoll)
	}
}

func (o *watch) readOffsets(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	asked := time.Now()
	committed, err := o.progress.Committed(asking, ingest)
	if err != nil {
		return
	}
	o.log.Debug("committed", "offsets", committed)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, offsets{asked, time.Now(), committed})
	if time.Since(o.seen[0].at) > watchWindow {
		o.seen = o.seen[1:]
	}
}

// progressed is the time at which every partition was committed further than at the given time. Readings that were
// requested before that time are no base for the comparison.
func (o *watch) progressed(after time.Time) (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var base map[int32]int64
	for _, s := range o.seen {
		switch {
		case s.asked.Before(after):
		case base == nil:
			base = s.committed
		case allAdvanced(s.committed, base):
			return s.at, true
		}
	}
	return time.Time{}, false
}

func allAdvanced(now, before map[int32]int64) bool {
	for id := range int32(partitions) {
		if now[id] <= before[id] {
			return false
		}
	}
	return true
}

func (o *watch) answered(edge int, after time.Time) (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, at := range o.okTimes[edge] {
		if at.After(after) {
			return at, true
		}
	}
	return time.Time{}, false
}

func (o *watch) answeredAll(after time.Time) (last time.Time, all bool) {
	for i := range o.okTimes {
		at, ok := o.answered(i, after)
		if !ok {
			return time.Time{}, false
		}
		if at.After(last) {
			last = at
		}
	}
	return last, true
}

func (o *watch) readMemory(context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for kind, parts := range map[string][]*service{"edge": o.edges, "loader": o.loaders} {
		for _, p := range parts {
			o.peaks[kind] = max(o.peaks[kind], peak(p.pid()))
		}
	}
	o.peaks["ClickHouse"] = max(o.peaks["ClickHouse"], peak(o.clickhouse.Pid()))
	for i, p := range o.edges {
		at := time.Unix(0, p.lastOK.Load())
		if n := len(o.okTimes[i]); n == 0 || at.After(o.okTimes[i][n-1]) {
			o.okTimes[i] = append(o.okTimes[i], at)
		}
		if time.Since(o.okTimes[i][0]) > watchWindow {
			o.okTimes[i] = o.okTimes[i][1:]
		}
	}
}

// peak is the maximum resident memory of a process in bytes, or 0 if it has ended.
func peak(pid int) int64 {
	if pid == 0 { // it never ran
		return 0
	}
	usage, _ := measure.UsageOf(pid)
	return usage.PeakBytes
}
