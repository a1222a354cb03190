//go:build linux

package load

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// run is a run under way.
type run struct {
	*Config
	start, counts, end time.Time
	next               atomic.Int64 // the request that is due next, in an open loop
	ids                atomic.Uint64
}

// Run sends until the time is over or ctx ends, and waits for the last answers. Requests that are refused do not end it.
func Run(ctx context.Context, c Config) (*Result, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	workers := make([]*worker, c.Connections)
	r := &run{Config: &c}
	for i := range workers {
		connection, err := net.Dial("tcp", c.Addr)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", c.Addr, err)
		}
		defer connection.Close()
		workers[i] = newWorker(r, connection, i)
	}
	r.start = time.Now()
	r.counts = r.start.Add(c.Warm)
	r.end = r.counts.Add(c.For)
	ctx, stop := context.WithDeadline(ctx, r.end)
	defer stop()
	var all sync.WaitGroup
	var own time.Duration
	all.Go(func() { own = r.watch(ctx) })
	for _, w := range workers {
		all.Go(func() { w.loop(ctx) })
	}
	all.Wait()
	return r.sum(workers, own), nil
}

// watch calls Begin and End when it is time, and measures what this process itself takes between.
func (r *run) watch(ctx context.Context) time.Duration {
	select {
	case <-time.After(time.Until(r.counts)):
	case <-ctx.Done():
		return 0
	}
	if r.Begin != nil {
		r.Begin()
	}
	begin := ownCPU()
	<-ctx.Done()
	if r.End != nil {
		r.End()
	}
	return ownCPU() - begin
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for a pointer that is bad
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// due is when the next request of an open loop is to be sent.
func (r *run) due() time.Time {
	n := r.next.Add(1) - 1
	return r.start.Add(time.Duration(float64(n) / r.Rate * float64(time.Second)))
}
