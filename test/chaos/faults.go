//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// How long a fault waits for one that is still there where it should be, how often recovery is looked at, and
// when it is given up.
const (
	busyPatience     = 20 * time.Second
	recoverPoll      = 50 * time.Millisecond
	recoveryPatience = 2 * time.Minute
)

// happened is what became of the faults of one kind.
type happened struct {
	made, skipped, failed int
	sinceFault, sinceHeal []time.Duration
	never                 int // times that nothing went on before recoveryPatience
}

// storm makes the plan's faults.
type storm struct {
	*world
	watch *watch

	mu      sync.Mutex
	busy    map[string]bool
	by      map[string]*happened
	wait    sync.WaitGroup // faults that are not healed yet
	recover sync.WaitGroup // and those not recovered from
}

func newStorm(w *world, watch *watch) *storm {
	return &storm{world: w, watch: watch, busy: map[string]bool{}, by: map[string]*happened{}}
}

// run makes the faults at their times, and returns when the last is healed. The end of ctx leaves out what has
// not begun; that of load ends looking for recovery, since nothing goes on without events.
func (s *storm) run(ctx, load context.Context, plan []fault) {
	start := time.Now()
	for i := range plan {
		select {
		case <-ctx.Done():
			s.wait.Wait()
			return
		case <-time.After(time.Until(start.Add(plan[i].at))):
			s.wait.Go(func() { s.make(ctx, load, &plan[i]) })
		}
	}
	s.wait.Wait()
}

func (s *storm) of(k *kind) *happened {
	if s.by[k.name] == nil {
		s.by[k.name] = &happened{}
	}
	return s.by[k.name]
}

func (s *storm) note(k *kind, do func(*happened)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(s.of(k))
}

// occupy takes a place for a fault, or returns false.
func (s *storm) occupy(ctx context.Context, place string) bool {
	for deadline := time.Now().Add(busyPatience); ; time.Sleep(recoverPoll) {
		s.mu.Lock()
		free := !s.busy[place]
		if free {
			s.busy[place] = true
		}
		s.mu.Unlock()
		if free || ctx.Err() != nil || time.Now().After(deadline) {
			return free
		}
	}
}

func (s *storm) leave(place string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[place] = false
}

func (s *storm) make(ctx, load context.Context, f *fault) {
	place := fmt.Sprint(f.kind.busy, "-", f.target)
	if f.kind.busy == "kafka" {
		place = "kafka" // one at a time of all nodes'
	}
	log := s.log.With("n", f.n, "fault", f.what())
	if !s.occupy(ctx, place) {
		log.Info("skipped: still busy")
		s.note(f.kind, func(h *happened) { h.skipped++ })
		return
	}
	defer s.leave(place)
	begin := time.Now()
	heal, err := f.kind.do(s.world, f)
	if err != nil {
		log.Error("fault not made as meant", "error", err)
		s.note(f.kind, func(h *happened) { h.failed++ })
		if heal == nil {
			return
		}
	}
	s.note(f.kind, func(h *happened) { h.made++ })
	log.Info("fault", "lasts", f.lasts.Round(time.Millisecond))
	time.Sleep(f.lasts)
	if err := heal(); err != nil {
		log.Error("cannot heal", "error", err)
		s.note(f.kind, func(h *happened) { h.failed++ })
	}
	healed := time.Now()
	log.Info("healed", "after", healed.Sub(begin).Round(time.Millisecond))
	s.recover.Go(func() { s.recovery(load, f, begin, healed) })
	if f.kind.settle != nil {
		if err := f.kind.settle(s.world); err != nil {
			log.Error("not settled", "error", err)
		}
	}
}

func (f *fault) what() string {
	text := f.kind.name
	if f.kind.targets > 1 {
		text += fmt.Sprintf(" #%d", f.target+1)
	}
	if f.kind.name[:4] == "link" {
		text += ": " + variants[f.variant]
	}
	return text
}

// lastPatience is how long the load goes on for what has not been recovered from in the end.
const lastPatience = 30 * time.Second

func (s *storm) awaitRecovered() {
	done := make(chan struct{})
	go func() { s.recover.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(lastPatience):
	}
}

// recovery measures until things go on: since the fault, whether healed or not, and since it was healed. Other
// faults in between count too.
func (s *storm) recovery(ctx context.Context, f *fault, begin, healed time.Time) {
	for deadline := healed.Add(recoveryPatience); ctx.Err() == nil; time.Sleep(recoverPoll) {
		first, on := s.wentOn(f, begin)
		later, again := s.wentOn(f, healed)
		if on && again {
			s.log.Info("recovered", "n", f.n, "since_fault", first.Sub(begin).Round(time.Millisecond), "since_heal", later.Sub(healed).Round(time.Millisecond))
			s.note(f.kind, func(h *happened) {
				h.sinceFault = append(h.sinceFault, first.Sub(begin))
				h.sinceHeal = append(h.sinceHeal, later.Sub(healed))
			})
			return
		}
		if time.Now().After(deadline) {
			s.log.Error("NOT RECOVERED", "n", f.n, "fault", f.what())
			s.note(f.kind, func(h *happened) { h.never++ })
			return
		}
	}
}

// wentOn is when what the fault had interrupted has gone on for the first time after a moment.
func (s *storm) wentOn(f *fault, after time.Time) (time.Time, bool) {
	if f.kind.back == backLoading {
		return s.watch.progressed(after)
	}
	if f.kind.busy == "redis" {
		return s.watch.answeredAll(after)
	}
	return s.watch.answered(f.target, after)
}
