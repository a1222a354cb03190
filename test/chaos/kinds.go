//go:build linux

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/millrace/millrace/test/env/proxy"
)

// kind is a kind of fault.
type kind struct {
	name        string
	weight      int
	targets     int
	least, most time.Duration // how long it lasts
	busy        string        // what it occupies; with several targets, each of them apart
	back        back
	do          func(w *world, f *fault) (heal func() error, err error)
	settle      func(w *world) error // until another may come after it
}

// back says what has to go on before the fault counts as recovered from.
type back int

const (
	backLoading   back = iota // every partition's progress
	backAnswering             // an edge's 200s
)

// variants of what can be wrong with a link.
var variants = []string{"cut", "answers cut", "delayed", "reset"}

const delayMost = 800 * time.Millisecond

func processKinds() []kind {
	return []kind{
		{"edge killed", 3, edges, 300 * time.Millisecond, 3 * time.Second, "edge", backAnswering, killPart(func(w *world) []*part { return w.edges }, syscall.SIGKILL), nil},
		{"edge stopped in its tracks", 2, edges, 2 * time.Second, 6 * time.Second, "edge", backAnswering, stopPart(func(w *world) []*part { return w.edges }), nil},
		{"loader killed", 6, loaders, 200 * time.Millisecond, 3 * time.Second, "loader", backLoading, killPart(loadersOf, syscall.SIGKILL), nil},
		{"loader stopped in its tracks", 1, loaders, 2 * time.Second, 5 * time.Second, "loader", backLoading, stopPart(loadersOf), nil},
		{"loader stopped past its session", 2, loaders, 11 * time.Second, 14 * time.Second, "loader", backLoading, stopPart(loadersOf), nil},
		{"loader cut off from ClickHouse, then killed", 1, loaders, 200 * time.Millisecond, 2 * time.Second, "loader", backLoading, cutAndKill((*proxy.Link).Cut), nil},
		{"loader cut off from answers, then killed", 1, loaders, 200 * time.Millisecond, 2 * time.Second, "loader", backLoading, cutAndKill((*proxy.Link).CutAnswers), nil},
		{"loader told to end, and back", 2, loaders, 200 * time.Millisecond, 3 * time.Second, "loader", backLoading, killPart(loadersOf, syscall.SIGTERM), nil},
		{"third loader joins and leaves", 2, 1, 4 * time.Second, 8 * time.Second, "third", backLoading, joinAndLeave, nil},
		{"ClickHouse killed", 4, 1, 0, 0, "clickhouse", backLoading, killClickHouse, nil},
		{"ClickHouse stopped in its tracks", 3, 1, 2 * time.Second, 8 * time.Second, "clickhouse", backLoading, stopClickHouse, nil},
		{"Redis killed", 2, 1, 500 * time.Millisecond, 3 * time.Second, "redis", backAnswering, killRedis, nil},
		{"Redis stopped in its tracks", 1, 1, 500 * time.Millisecond, 3 * time.Second, "redis", backAnswering, stopRedis, nil},
		{"link loader-Kafka", 3, loaders, 2 * time.Second, 12 * time.Second, "loader-kafka", backLoading, breakLink(loadersOf, func(p *part) *proxy.Link { return p.kafka }), nil},
		{"link loader-ClickHouse", 4, loaders, 2 * time.Second, 8 * time.Second, "loader-clickhouse", backLoading, breakLink(loadersOf, func(p *part) *proxy.Link { return p.store }), nil},
		{"link edge-Kafka", 3, edges, 2 * time.Second, 8 * time.Second, "edge-kafka", backAnswering, breakLink(edgesOf, func(p *part) *proxy.Link { return p.kafka }), nil},
		{"link edge-Redis", 2, edges, 2 * time.Second, 5 * time.Second, "edge-redis", backAnswering, breakLink(edgesOf, func(p *part) *proxy.Link { return p.store }), nil},
	}
}

func edgesOf(w *world) []*part   { return w.edges }
func loadersOf(w *world) []*part { return w.loaders }

type faultFunc = func(*world, *fault) (func() error, error)

func killPart(parts func(*world) []*part, signal syscall.Signal) faultFunc {
	return func(w *world, f *fault) (func() error, error) {
		p := parts(w)[f.target]
		return p.start, p.end(signal)
	}
}

func stopPart(parts func(*world) []*part) faultFunc {
	return func(w *world, f *fault) (func() error, error) {
		p := parts(w)[f.target]
		return func() error { return p.signal(syscall.SIGCONT) }, p.signal(syscall.SIGSTOP)
	}
}

// cutOff is how long a loader works on without ClickHouse before it is killed: enough for a block, and less than
// its time-out.
const cutOff = 2500 * time.Millisecond

// cutAndKill leaves a block of which nobody knows whether it has been written.
func cutAndKill(cut func(*proxy.Link)) faultFunc {
	return func(w *world, f *fault) (func() error, error) {
		p := w.loaders[f.target]
		cut(p.store)
		time.Sleep(cutOff)
		err := p.end(syscall.SIGKILL)
		p.store.Heal()
		return p.start, err
	}
}

// joinAndLeave has a loader more for a while; every other time it leaves without a word.
func joinAndLeave(w *world, f *fault) (func() error, error) {
	p := w.loaders[loaders]
	leave := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[f.variant%2]
	return func() error { return p.end(leave) }, p.start()
}

const clickhousePatience = time.Minute

// killClickHouse waits until it has been started again, which is done at once.
func killClickHouse(w *world, _ *fault) (func() error, error) {
	before := w.clickhouse.Restarts()
	heal := func() error {
		for deadline := time.Now().Add(clickhousePatience); w.clickhouse.Restarts() == before; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				return fmt.Errorf("ClickHouse is not back after %s", clickhousePatience)
			}
		}
		return nil
	}
	return heal, syscall.Kill(w.clickhouse.Pid(), syscall.SIGKILL)
}

func stopClickHouse(w *world, _ *fault) (func() error, error) {
	pid := w.clickhouse.Pid()
	return func() error { return syscall.Kill(pid, syscall.SIGCONT) }, syscall.Kill(pid, syscall.SIGSTOP)
}

func killRedis(w *world, _ *fault) (func() error, error) {
	return w.redis.start, w.redis.end(syscall.SIGKILL)
}

func stopRedis(w *world, _ *fault) (func() error, error) {
	return func() error { return w.redis.signal(syscall.SIGCONT) }, w.redis.signal(syscall.SIGSTOP)
}

func breakLink(parts func(*world) []*part, link func(*part) *proxy.Link) faultFunc {
	return func(w *world, f *fault) (func() error, error) {
		l := link(parts(w)[f.target])
		switch variants[f.variant] {
		case "cut":
			l.Cut()
		case "answers cut":
			l.CutAnswers()
		case "delayed":
			l.Delay(delayMost * time.Duration(f.n%4+1) / 4)
		case "reset":
			l.Reset()
		}
		return func() error { l.Heal(); return nil }, nil
	}
}

// settlePatience is how long the brokers may take to be in sync again before the next of their faults.
const settlePatience = 90 * time.Second

func brokersSettle(w *world) error {
	ctx, cancel := context.WithTimeout(context.Background(), settlePatience)
	defer cancel()
	return w.brokers.awaitInSync(ctx, ingest, deadLetters)
}
