//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/bench/load"
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/stream"
)

// shape is what an edge is sent in a closed loop.
type shape struct {
	name        string
	title       string
	batch       int
	connections int
}

var shapes = []shape{
	{"single-64", "single messages, 64 connections", 1, 64},
	{"single-512", "single messages, 512 connections", 1, 512},
	{"batch-10", "batches of 10, 64 connections", 10, 64},
	{"batch-100", "batches of 100, 16 connections", 100, 16},
	{"batch-1000", "batches of 1,000, 8 connections", 1000, 8},
}

// What is measured of each turn.
const (
	eventsPerSecond = "events/s"
	cpuPerEvent     = "processor µs/event"
	brokerPerEvent  = "broker's µs/event"
	loadPerEvent    = "generator's µs/event"
	p50             = "p50 ms"
	p99             = "p99 ms"
	memoryMiB       = "MiB"
)

// rehearsal is how long each is sent to before the first round, for what a program does once, and for those that compile as they run.
const rehearsal = 4 * time.Second

// compare has all entrants take turns at a shape.
func (a *arena) compare(ctx context.Context, s shape) ([]measure.Series, error) {
	say("\n%s: %s", s.name, s.title)
	config := traffic.Config{Seed: a.common.Seed, Products: a.Products, Users: 100_000, EventsOnly: true, Start: time.Now(), Every: time.Millisecond}
	var contenders []measure.Contender
	for _, e := range a.entrants {
		// Each has bodies of its own, for a request's text has its path in it. They are the same otherwise.
		requests := requestsOf(traffic.New(config).Bodies(max(s.connections, bodiesFor(s.batch)/len(a.entrants)), s.batch), e.path)
		if _, err := a.turn(ctx, s, e, requests, 0, rehearsal); err != nil {
			return nil, fmt.Errorf("the rehearsal of %s: %w", e.name, err)
		}
		contenders = append(contenders, measure.Contender{Name: e.name, Run: func(ctx context.Context) (measure.Values, error) {
			return a.turn(ctx, s, e, requests, a.Warm, a.For)
		}})
	}
	return measure.Turns(ctx, stderr, a.common.Rounds, contenders)
}

// turn sends to one of them, and looks that all it answered for has been written.
func (a *arena) turn(ctx context.Context, s shape, e *entrant, requests []*load.Request, warm, lasts time.Duration) (measure.Values, error) {
	before, err := a.written(ctx, e.topic)
	if err != nil {
		return nil, err
	}
	m := meter{processes: map[string]int{cpuPerEvent: e.process.Pid(), brokerPerEvent: a.broker.Pid()}}
	measure.ResetPeak(e.process.Pid())
	result, err := load.Run(ctx, load.Config{Addr: e.addr, Connections: s.connections, Requests: requests, Rate: a.rate / float64(s.batch), Warm: warm, For: lasts, Begin: m.begin, End: m.end})
	if err == nil {
		err = result.Err()
	}
	if err != nil {
		return nil, err
	}
	usage, err := e.process.Usage()
	if err != nil {
		return nil, err
	}
	after, err := a.written(ctx, e.topic)
	if err != nil {
		return nil, err
	}
	if written := after - before; written < int64(result.Messages) {
		return nil, fmt.Errorf("%d messages were answered for and %d are in the topic", result.Messages, written)
	}
	values := m.perEvent(result.Messages)
	values[eventsPerSecond] = result.MessagesPerSecond()
	values[loadPerEvent] = micros(result.OwnCPU, result.Messages)
	values[p50], values[p99] = millis(result.Latency(50)), millis(result.Latency(99))
	values[memoryMiB] = float64(usage.PeakBytes) / (1 << 20)
	return values, nil
}

// written is how many records the topic has ever had.
func (a *arena) written(ctx context.Context, topic string) (sum int64, err error) {
	spans, err := a.stream.OffsetRanges(ctx, &stream.ReplayRange{Topics: []string{topic}})
	for _, s := range spans {
		sum += s.Until
	}
	return sum, err
}

// meter reads what processes use while something goes on.
type meter struct {
	processes map[string]int // process ids, by the name of the quantity
	used      map[string]time.Duration
}

func (m *meter) begin() {
	m.used = map[string]time.Duration{}
	for name, pid := range m.processes {
		u, _ := measure.UsageOf(pid) // one that has ended will be missed elsewhere
		m.used[name] = -u.CPU
	}
}

func (m *meter) end() {
	for name, pid := range m.processes {
		u, _ := measure.UsageOf(pid)
		m.used[name] += u.CPU
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
