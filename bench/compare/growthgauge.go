//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/parts"
)

// gauge is how far a loader has come, by its own word.
type gauge struct {
	at           time.Time
	events       float64 // committed
	rows, blocks float64
	bytes        float64 // of columns
	misses       float64 // users that were not in memory
}

func gaugeOf(ctx context.Context, loader *parts.Part) (g gauge, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, loader.Admin+"/metrics", nil)
	if err != nil {
		return g, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return g, fmt.Errorf("ask the loader how far it has come: %w", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return g, fmt.Errorf("read the loader's metrics: %w", err)
	}
	sum := func(name string) (sum float64) {
		for _, m := range families["millrace_loader_"+name].GetMetric() {
			sum += m.GetCounter().GetValue()
		}
		return sum
	}
	return gauge{time.Now(), sum("records_committed_total"), sum("rows_inserted_total"), sum("blocks_inserted_total"), sum("inserted_bytes_total"), sum("identity_cache_misses_total")}, nil
}

// A backlog counts from where caches are warm until lanes begin to run dry and wait for their linger.
const (
	warmAt    = .2
	endAt     = .98
	loadEvery = 50 * time.Millisecond
	loadMost  = 4 * time.Minute
)

// middle is the part of a backlog that counts.
type middle struct {
	first, warm, end gauge
	meter            meter
	strangers        strangers
}

// watch returns when a loader has committed all of a backlog: of known users, and then n others.
func (s *store) watch(ctx context.Context, loader *parts.Part, known, n float64) (*middle, error) {
	m := &middle{meter: meter{processes: map[string]int{loaderCPU: loader.Pid(), storeCPU: s.clickhouse.Pid()}}}
	for until := time.Now().Add(loadMost); ; time.Sleep(loadEvery) {
		now, err := gaugeOf(ctx, loader)
		switch {
		case err != nil:
			return nil, err
		case now.events == known+n:
			if m.see(now, known, n); m.end.events == m.warm.events {
				return nil, fmt.Errorf("%.0f events are too few to measure: they were loaded at once", n)
			}
			return m, nil
		case now.at.After(until):
			return nil, fmt.Errorf("%.0f of %.0f events are loaded after %s", now.events, known+n, loadMost)
		}
		m.see(now, known, n)
	}
}

func (m *middle) see(now gauge, known, n float64) {
	if m.first.events == 0 {
		m.first = now
	}
	if m.warm.events == 0 && now.events >= known+n*warmAt {
		m.warm = now
		m.meter.begin()
		m.strangers = watchStrangers()
	}
	if m.end.events == 0 && now.events >= (known+n)*endAt {
		m.end = now
		m.meter.end()
		m.strangers = m.strangers.until()
	}
}

func (m *middle) values() measure.Values {
	events, blocks := m.end.events-m.warm.events, m.end.blocks-m.warm.blocks
	v := m.meter.perEvent(int(events))
	v[eventsPerSecond] = events / m.end.at.Sub(m.warm.at).Seconds()
	v[rowsPerBlock], v[missed] = events/blocks, (m.end.misses-m.warm.misses)/blocks
	v[wireBytes] = (m.end.bytes - m.warm.bytes) / (m.end.rows - m.warm.rows)
	m.strangers.note(v)
	return v
}

// strangers measures how much of the processors somebody else takes meanwhile. All that a comparison runs comes from this process.
type strangers struct{ busy, there, ours time.Duration }

func watchStrangers() (s strangers) {
	s.busy, s.there = measure.Busy()
	u, _ := measure.UsageOf(os.Getpid()) // it is this one
	s.ours = u.CPU
	return s
}

// until is what has been used since s.
func (s strangers) until() strangers {
	now := watchStrangers()
	return strangers{now.busy - s.busy, now.there - s.there, now.ours - s.ours}
}

// note adds what that says to what was measured meanwhile: a machine that is shared has less to give, and what it gives is
// taken for as much of the whole as it was.
func (s strangers) note(v measure.Values) {
	there := float64(max(1, s.there))
	v[strangeShare], v[idleShare] = max(0, float64(s.busy-s.ours)/there), float64(s.there-s.busy)/there
	v[alone] = v[eventsPerSecond] / (1 - v[strangeShare])
}
