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

// shape is a kind of requests to an edge.
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

// rehearsal is the load on each contender before the first round, for just-in-time compilers and other one-time work.
const rehearsal = 4 * time.Second

// compare measures all contenders with one shape.
func (a *edgeComparison) compare(ctx context.Context, s shape) ([]measure.Series, error) {
	say("\n%s: %s", s.name, s.title)
	var contenders []measure.Contender
	for _, e := range a.contenders {
		round, err := a.prepare(ctx, s, e)
		if err != nil {
			return nil, err
		}
		contenders = append(contenders, measure.Contender{Name: e.name, Run: round})
	}
	return measure.Rounds(ctx, stderr, a.Rounds, contenders)
}

// prepare makes the requests of a contender, sends them for a while, and returns the function that measures a round.
// Contenders have the same bodies, but a request's text contains its path.
func (a *edgeComparison) prepare(
	ctx context.Context, s shape, e *edgeContender,
) (func(context.Context) (measure.Values, error), error) {
	bodies := max(s.connections, bodiesFor(s.batch)/len(a.contenders))
	requests := requestsOf(traffic.New(a.traffic(a.Products)).Bodies(bodies, s.batch), e.path)
	if _, err := a.round(ctx, s, e, requests, 0, rehearsal); err != nil {
		return nil, fmt.Errorf("the rehearsal of %s: %w", e.name, err)
	}
	return func(ctx context.Context) (measure.Values, error) { return a.round(ctx, s, e, requests, a.Warm, a.For) }, nil
}

// round sends requests to one contender, and checks that the topic has every acknowledged message.
func (a *edgeComparison) round(
	ctx context.Context, s shape, e *edgeContender, requests []*load.Request, warm, lasts time.Duration,
) (measure.Values, error) {
	before, err := a.written(ctx, e.topic)
	if err != nil {
		return nil, err
	}
	m := meter{processes: map[string]int{cpuPerEvent: e.process.Pid(), brokerPerEvent: a.broker.Pid()}}
	measure.ResetPeak(e.process.Pid())
	result, err := load.Run(ctx, load.Config{
		Addr: e.addr, Connections: s.connections, Requests: requests, Rate: a.rate / float64(s.batch),
		Warm: warm, For: lasts, Begin: m.begin, End: m.end,
	})
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
		return nil, fmt.Errorf("%d messages were acknowledged and %d are in the topic", result.Messages, written)
	}
	v := m.perEvent(result.Messages)
	addAnswers(v, result)
	v[memoryMiB] = mib(usage.PeakBytes)
	return v, nil
}

// written is the number of records that the topic has ever had.
func (a *edgeComparison) written(ctx context.Context, topic string) (sum int64, err error) {
	spans, err := a.client.OffsetRanges(ctx, &stream.ReplayRange{Topics: []string{topic}})
	for _, s := range spans {
		sum += s.Until
	}
	return sum, err
}
