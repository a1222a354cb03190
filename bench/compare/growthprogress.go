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
)

// progress is the state of a loader at one time, from its metrics.
type progress struct {
	at           time.Time
	committed    float64 // records
	rows, blocks float64
	bytes        float64 // of columns
	misses       float64 // users that were not in the cache
}

func progressOf(ctx context.Context, loader *measure.Service) (p progress, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, loader.Admin+"/metrics", nil)
	if err != nil {
		return p, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return p, fmt.Errorf("read the loader's metrics: %w", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return p, fmt.Errorf("parse the loader's metrics: %w", err)
	}
	sum := func(name string) (sum float64) {
		for _, m := range families["millrace_loader_"+name].GetMetric() {
			sum += m.GetCounter().GetValue()
		}
		return sum
	}
	return progress{
		time.Now(), sum("records_committed_total"), sum("rows_inserted_total"), sum("blocks_inserted_total"),
		sum("inserted_bytes_total"), sum("identity_cache_misses_total"),
	}, nil
}

// A backlog is measured from where caches are warm until partitions run empty and wait for their linger.
const (
	warmShare       = .2
	endShare        = .98
	progressPoll    = 50 * time.Millisecond
	progressTimeout = 4 * time.Minute
)

// middle is the measured part of a backlog.
type middle struct {
	first, warm, end progress
	meter            meter
	others           processorShares
}

// watch returns when a loader has committed a backlog: messages of known users, and then n others.
func (s *loaderRun) watch(ctx context.Context, loader *measure.Service, known, n float64) (*middle, error) {
	m := &middle{meter: meter{processes: map[string]int{
		loaderPerEvent: loader.Pid(), storePerEvent: s.clickhouse.Pid(),
	}}}
	for until := time.Now().Add(progressTimeout); ; time.Sleep(progressPoll) {
		now, err := progressOf(ctx, loader)
		if err != nil {
			return nil, err
		}
		m.update(now, known, n)
		switch {
		case now.committed == known+n && m.end.committed == m.warm.committed:
			return nil, fmt.Errorf("%.0f events are too few to measure: a single poll saw them all", n)
		case now.committed == known+n:
			return m, nil
		case now.at.After(until):
			return nil, fmt.Errorf("%.0f of %.0f events are loaded after %s", now.committed, known+n, progressTimeout)
		}
	}
}

func (m *middle) update(now progress, known, n float64) {
	if m.first.committed == 0 {
		m.first = now
	}
	if m.warm.committed == 0 && now.committed >= known+n*warmShare {
		m.warm = now
		m.meter.begin()
		m.others = startShares()
	}
	if m.end.committed == 0 && now.committed >= (known+n)*endShare {
		m.end = now
		m.meter.end()
		m.others = m.others.since()
	}
}

func (m *middle) values() measure.Values {
	events, blocks := m.end.committed-m.warm.committed, m.end.blocks-m.warm.blocks
	v := m.meter.perEvent(int(events))
	v[eventsPerSecond] = events / m.end.at.Sub(m.warm.at).Seconds()
	v[rowsPerBlock], v[lookedUp] = events/blocks, (m.end.misses-m.warm.misses)/blocks
	v[wireBytes] = (m.end.bytes - m.warm.bytes) / (m.end.rows - m.warm.rows)
	m.others.add(v)
	return v
}

// processorShares is processor time of the whole machine and of this process with all that it started.
type processorShares struct{ busy, total, ours time.Duration }

func startShares() (s processorShares) {
	s.busy, s.total = measure.Busy()
	u, _ := measure.UsageOf(os.Getpid()) // it exists
	s.ours = u.CPU
	return s
}

// since is the time used since s.
func (s processorShares) since() processorShares {
	now := startShares()
	return processorShares{now.busy - s.busy, now.total - s.total, now.ours - s.ours}
}

// add adds the shares to v, and the throughput that the machine would have had without other programs.
func (s processorShares) add(v measure.Values) {
	total := float64(max(1, s.total))
	v[othersShare], v[idleShare] = max(0, float64(s.busy-s.ours)/total), float64(s.total-s.busy)/total
	v[ifAlone] = v[eventsPerSecond] / (1 - v[othersShare])
}
