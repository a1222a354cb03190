//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How often the group's offsets and memory are read, how long an answer may take, and how far back recoveries
// are looked for.
const (
	watchPoll     = 200 * time.Millisecond
	watchPatience = 2 * time.Second
	watchReach    = 5 * time.Minute
)

// seen is the group's offsets at one moment.
type seen struct {
	asked, at time.Time
	committed map[int32]int64
}

// watch looks at the world while it storms.
type watch struct {
	*world

	mu    sync.Mutex
	seen  []seen
	oks   [edges][]time.Time // when requests began that were answered with 200, one of each poll
	peaks map[string]int64   // resident bytes by kind of process
}

func newWatch(w *world) *watch { return &watch{world: w, peaks: map[string]int64{}} }

func (o *watch) run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { o.every(ctx, o.offsets) })
	all.Go(func() { o.every(ctx, o.memory) })
	all.Wait()
}

func (o *watch) every(ctx context.Context, do func(context.Context)) {
	for ctx.Err() == nil {
		do(ctx)
		time.Sleep(watchPoll)
	}
}

func (o *watch) offsets(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, watchPatience)
	defer cancel()
	asked := time.Now()
	committed, err := o.progress.Committed(asking, ingest)
	if err != nil {
		return
	}
	o.log.Debug("committed", "offsets", committed)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, seen{asked, time.Now(), committed})
	if time.Since(o.seen[0].at) > watchReach {
		o.seen = o.seen[1:]
	}
}

// progressed is when every partition had been committed further than it was after a moment. An offset that was
// on its way to us at that moment is not what is measured against.
func (o *watch) progressed(after time.Time) (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var base map[int32]int64
	for _, s := range o.seen {
		switch {
		case s.asked.Before(after):
		case base == nil:
			base = s.committed
		case further(s.committed, base):
			return s.at, true
		}
	}
	return time.Time{}, false
}

func further(now, before map[int32]int64) bool {
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
	for _, at := range o.oks[edge] {
		if at.After(after) {
			return at, true
		}
	}
	return time.Time{}, false
}

func (o *watch) answeredAll(after time.Time) (last time.Time, all bool) {
	for i := range o.oks {
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

func (o *watch) memory(context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for kind, parts := range map[string][]*part{"edge": o.edges, "loader": o.loaders} {
		for _, p := range parts {
			o.peaks[kind] = max(o.peaks[kind], peak(p.pid()))
		}
	}
	o.peaks["ClickHouse"] = max(o.peaks["ClickHouse"], peak(o.clickhouse.Pid()))
	for i, p := range o.edges {
		at := time.Unix(0, p.lastOK.Load())
		if n := len(o.oks[i]); n == 0 || at.After(o.oks[i][n-1]) {
			o.oks[i] = append(o.oks[i], at)
		}
		if time.Since(o.oks[i][0]) > watchReach {
			o.oks[i] = o.oks[i][1:]
		}
	}
}

// peak is the most a process has ever had resident, in bytes; 0 if it is gone.
func peak(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseInt(kb, 10, 64)
	return n << 10
}
