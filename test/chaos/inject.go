//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Maximum wait of a fault for its resource, interval between checks for recovery, and maximum time of recovery.
const (
	resourceTimeout = 20 * time.Second
	recoveryPoll    = 50 * time.Millisecond
	recoveryTimeout = 2 * time.Minute
)

// faultStats are the results of all faults of one kind.
type faultStats struct {
	made, skipped, failed int
	afterFault, afterHeal []time.Duration
	unrecovered           int // times that nothing went on before recoveryPatience
}

// faultRun injects the faults of the plan.
type faultRun struct {
	*system
	watch *watch

	mu         sync.Mutex
	occupied   map[string]bool
	stats      map[string]*faultStats
	injected   sync.WaitGroup // faults that are not healed yet
	recoveries sync.WaitGroup // faults that are not recovered from yet
}

func newFaultRun(sys *system, watch *watch) *faultRun {
	return &faultRun{system: sys, watch: watch, occupied: map[string]bool{}, stats: map[string]*faultStats{}}
}

// run injects the faults at their times, and returns when the last is healed. After the end of ctx it injects no more.
// After the end of load it measures no recovery, since nothing proceeds without events.
func (s *faultRun) run(ctx, load context.Context, plan []fault) {
	start := time.Now()
	for i := range plan {
		select {
		case <-ctx.Done():
			s.injected.Wait()
			return
		case <-time.After(time.Until(start.Add(plan[i].at))):
			s.injected.Go(func() { s.inject(ctx, load, &plan[i]) })
		}
	}
	s.injected.Wait()
}

func (s *faultRun) statsOf(k *kind) *faultStats {
	if s.stats[k.name] == nil {
		s.stats[k.name] = &faultStats{}
	}
	return s.stats[k.name]
}

func (s *faultRun) update(k *kind, do func(*faultStats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(s.statsOf(k))
}

// occupy takes a resource for a fault, or returns false.
func (s *faultRun) occupy(ctx context.Context, place string) bool {
	for deadline := time.Now().Add(resourceTimeout); ; time.Sleep(recoveryPoll) {
		s.mu.Lock()
		free := !s.occupied[place]
		if free {
			s.occupied[place] = true
		}
		s.mu.Unlock()
		if free || ctx.Err() != nil || time.Now().After(deadline) {
			return free
		}
	}
}

func (s *faultRun) release(place string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.occupied[place] = false
}

func (s *faultRun) inject(ctx, load context.Context, f *fault) {
	place := fmt.Sprint(f.kind.resource, "-", f.target)
	if f.kind.resource == kafkaResource {
		place = "kafka" // one fault at a time for all nodes
	}
	log := s.log.With("n", f.n, "fault", f.description())
	if !s.occupy(ctx, place) {
		log.Info("skipped: resource in use")
		s.update(f.kind, func(h *faultStats) { h.skipped++ })
		return
	}
	defer s.release(place)
	begin := time.Now()
	heal, err := f.kind.do(s.system, f)
	if err != nil {
		log.Error("fault not injected completely", "error", err)
		s.update(f.kind, func(h *faultStats) { h.failed++ })
		if heal == nil {
			return
		}
	}
	s.update(f.kind, func(h *faultStats) { h.made++ })
	log.Info("fault", "lasts", f.lasts.Round(time.Millisecond))
	time.Sleep(f.lasts)
	if err := heal(); err != nil {
		log.Error("cannot heal", "error", err)
		s.update(f.kind, func(h *faultStats) { h.failed++ })
	}
	healed := time.Now()
	log.Info("healed", "after", healed.Sub(begin).Round(time.Millisecond))
	s.recoveries.Go(func() { s.recovery(load, f, begin, healed) })
	if f.kind.resource == kafkaResource {
		if err := awaitBrokers(s.system); err != nil {
			log.Error("not in sync", "error", err)
		}
	}
}

func (f *fault) description() string {
	text := f.kind.name
	if f.kind.targets > 1 {
		text += fmt.Sprintf(" #%d", f.target+1)
	}
	if f.kind.name[:4] == "link" {
		text += ": " + variants[f.variant]
	}
	return text
}

// lastRecoveries is the time that the load continues at the end for pending recoveries.
const lastRecoveries = 30 * time.Second

func (s *faultRun) awaitRecovered() {
	done := make(chan struct{})
	go func() { s.recoveries.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(lastRecoveries):
	}
}

// recovery measures the time until recovery from the start of the fault, and from its end. Other faults meanwhile
// prolong it.
func (s *faultRun) recovery(ctx context.Context, f *fault, begin, healed time.Time) {
	for deadline := healed.Add(recoveryTimeout); ctx.Err() == nil; time.Sleep(recoveryPoll) {
		first, afterFault := s.recoveredAt(f, begin)
		second, afterHeal := s.recoveredAt(f, healed)
		if afterFault && afterHeal {
			s.log.Info("recovered", "n", f.n, "since_fault", first.Sub(begin).Round(time.Millisecond),
				"since_heal", second.Sub(healed).Round(time.Millisecond))
			s.update(f.kind, func(h *faultStats) {
				h.afterFault = append(h.afterFault, first.Sub(begin))
				h.afterHeal = append(h.afterHeal, second.Sub(healed))
			})
			return
		}
		if time.Now().After(deadline) {
			s.log.Error("NOT RECOVERED", "n", f.n, "fault", f.description())
			s.update(f.kind, func(h *faultStats) { h.unrecovered++ })
			return
		}
	}
}

// recoveredAt is the first time after the given one at which what the fault interrupted works again.
func (s *faultRun) recoveredAt(f *fault, after time.Time) (time.Time, bool) {
	if !f.kind.stopsAnswers() {
		return s.watch.progressed(after)
	}
	if f.kind.resource == redisResource {
		return s.watch.answeredAll(after)
	}
	return s.watch.answered(f.target, after)
}
