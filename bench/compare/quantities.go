//go:build linux

package main

import (
	"time"

	"github.com/millrace/millrace/bench/load"
	"github.com/millrace/millrace/bench/measure"
)

// The quantities that several comparisons measure.
const (
	eventsPerSecond = "events/s"
	cpuPerEvent     = "edge's µs/event"
	brokerPerEvent  = "broker's µs/event"
	loaderPerEvent  = "loader's µs/event"
	storePerEvent   = "ClickHouse's µs/event"
	loadPerEvent    = "generator's µs/event"
	p50             = "p50 ms"
	p99             = "p99 ms"
	memoryMiB       = "MiB"
	loaderMiB       = "loader's MiB"
	storeMiB        = "ClickHouse's MiB"
)

// addAnswers adds throughput and latency of a load run to v.
func addAnswers(v measure.Values, r *load.Result) {
	v[eventsPerSecond] = r.MessagesPerSecond()
	v[loadPerEvent] = micros(r.OwnCPU, r.Messages)
	v[p50], v[p99] = millis(r.Latency(50)), millis(r.Latency(99))
}

// meter measures the processor time of processes between begin and end.
type meter struct {
	processes map[string]int // process ids, by the name of the quantity
	used      map[string]time.Duration
}

func (m *meter) begin() {
	m.used = map[string]time.Duration{}
	m.add(-1)
}

func (m *meter) end() { m.add(1) }

// add ignores errors: the run fails elsewhere if a process has ended.
func (m *meter) add(sign time.Duration) {
	for name, pid := range m.processes {
		u, _ := measure.UsageOf(pid)
		m.used[name] += sign * u.CPU
	}
}

func (m *meter) perEvent(events int) measure.Values {
	v := measure.Values{}
	for name, used := range m.used {
		v[name] = micros(used, events)
	}
	return v
}

func micros(d time.Duration, events int) float64 {
	return d.Seconds() * 1e6 / float64(max(1, events))
}

func millis(d time.Duration) float64 { return d.Seconds() * 1e3 }

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
