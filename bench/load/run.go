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

// run is the state of a run.
type run struct {
	*Config
	start, measured, end time.Time
	next                 atomic.Int64 // number of the next due request, in an open loop
	ids                  atomic.Uint64
}

// Run sends until the measured time or ctx ends, and waits for the last answers. Refused requests do not end it.
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
	r.measured = r.start.Add(c.Warm)
	r.end = r.measured.Add(c.For)
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

// watch calls Begin and End, and returns the processor time of this process between them.
func (r *run) watch(ctx context.Context) time.Duration {
	select {
	case <-time.After(time.Until(r.measured)):
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
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for an invalid pointer
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// due returns the time of the next request of an open loop.
func (r *run) due() time.Time {
	n := r.next.Add(1) - 1
	return r.start.Add(time.Duration(float64(n) / r.Rate * float64(time.Second)))
}
