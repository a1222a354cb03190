//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/test/env/proxy"
)

// kind is a kind of fault.
type kind struct {
	name     string
	weight   int
	targets  int
	lasts    span
	resource string // a resource has one fault at a time, for each target
	do       faultFunc
}

// faultFunc injects a fault and returns the function that heals it.
type faultFunc = func(*system, *fault) (heal func() error, err error)

// span is a range of durations.
type span struct{ min, max time.Duration }

func seconds(from, to float64) span {
	return span{time.Duration(from * float64(time.Second)), time.Duration(to * float64(time.Second))}
}

// Resources whose faults need special treatment.
const (
	kafkaResource = "kafka"
	redisResource = "redis"
)

// stopsAnswers reports whether recovery means that the edge answers 200 again. Otherwise it means that the loaders
// commit all partitions further.
func (k *kind) stopsAnswers() bool {
	return k.resource == redisResource || strings.HasPrefix(k.resource, "edge")
}

// variants are the faults of a link.
var variants = []string{"cut", "answers cut", "delayed", "reset"}

const maxDelay = 800 * time.Millisecond

func processKinds() []kind {
	return []kind{
		{"edge killed", 3, edges, seconds(.3, 3), "edge", killService(edgesOf, syscall.SIGKILL)},
		{"edge paused", 2, edges, seconds(2, 6), "edge", pauseService(edgesOf)},
		{"loader killed", 6, loaders, seconds(.2, 3), "loader", killService(loadersOf, syscall.SIGKILL)},
		{"loader paused", 1, loaders, seconds(2, 5), "loader", pauseService(loadersOf)},
		{"loader paused past its session", 2, loaders, seconds(11, 14), "loader", pauseService(loadersOf)},
		{"loader without ClickHouse, then killed", 1, loaders, seconds(.2, 2), "loader", cutAndKill((*proxy.Link).Cut)},
		{
			"loader without ClickHouse's answers, then killed",
			1,
			loaders,
			seconds(.2, 2),
			"loader",
			cutAndKill((*proxy.Link).CutAnswers),
		},
		{"loader terminated", 2, loaders, seconds(.2, 3), "loader", killService(loadersOf, syscall.SIGTERM)},
		{"third loader joins and leaves", 2, 1, seconds(4, 8), "third", joinAndLeave},
		{"ClickHouse killed", 4, 1, seconds(0, 0), "clickhouse", killClickHouse},
		{"ClickHouse paused", 3, 1, seconds(2, 8), "clickhouse", stopClickHouse},
		{"Redis killed", 2, 1, seconds(.5, 3), redisResource, killRedis},
		{"Redis paused", 1, 1, seconds(.5, 3), redisResource, stopRedis},
		{"link loader-Kafka", 3, loaders, seconds(2, 12), "loader-kafka", breakLink(loadersOf, kafkaLink)},
		{"link loader-ClickHouse", 4, loaders, seconds(2, 8), "loader-clickhouse", breakLink(loadersOf, storeLink)},
		{"link edge-Kafka", 3, edges, seconds(2, 8), "edge-kafka", breakLink(edgesOf, kafkaLink)},
		{"link edge-Redis", 2, edges, seconds(2, 5), "edge-redis", breakLink(edgesOf, storeLink)},
	}
}

func edgesOf(sys *system) []*service   { return sys.edges }
func loadersOf(sys *system) []*service { return sys.loaders }

func kafkaLink(p *service) *proxy.Link { return p.kafka }
func storeLink(p *service) *proxy.Link { return p.store }

func killService(services func(*system) []*service, signal syscall.Signal) faultFunc {
	return func(sys *system, f *fault) (func() error, error) {
		p := services(sys)[f.target]
		return p.start, p.stop(signal)
	}
}

func pauseService(services func(*system) []*service) faultFunc {
	return func(sys *system, f *fault) (func() error, error) {
		p := services(sys)[f.target]
		return func() error { return p.signal(syscall.SIGCONT) }, p.signal(syscall.SIGSTOP)
	}
}

// cutOff is the time that a loader runs without ClickHouse before it is killed: enough for a block, and less than its
// time-out.
const cutOff = 2500 * time.Millisecond

// cutAndKill leaves a block whose insert has an unknown result.
func cutAndKill(cut func(*proxy.Link)) faultFunc {
	return func(sys *system, f *fault) (func() error, error) {
		p := sys.loaders[f.target]
		cut(p.store)
		time.Sleep(cutOff)
		err := p.stop(syscall.SIGKILL)
		p.store.Heal()
		return p.start, err
	}
}

// joinAndLeave runs an additional loader for a while. Every other time it is killed instead of terminated.
func joinAndLeave(sys *system, f *fault) (func() error, error) {
	p := sys.loaders[loaders]
	leave := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[f.variant%2]
	return func() error { return p.stop(leave) }, p.start()
}

const clickhouseTimeout = time.Minute

// killClickHouse heals when the supervisor has restarted ClickHouse.
func killClickHouse(sys *system, _ *fault) (func() error, error) {
	before := sys.clickhouse.Restarts()
	heal := func() error {
		for deadline := time.Now().Add(clickhouseTimeout); sys.clickhouse.Restarts() == before; {
			time.Sleep(recoveryPoll)
			if time.Now().After(deadline) {
				return fmt.Errorf("ClickHouse has not restarted within %s", clickhouseTimeout)
			}
		}
		return nil
	}
	return heal, syscall.Kill(sys.clickhouse.Pid(), syscall.SIGKILL)
}

func stopClickHouse(sys *system, _ *fault) (func() error, error) {
	pid := sys.clickhouse.Pid()
	return func() error { return syscall.Kill(pid, syscall.SIGCONT) }, syscall.Kill(pid, syscall.SIGSTOP)
}

func killRedis(sys *system, _ *fault) (func() error, error) {
	return sys.redis.start, sys.redis.stop(syscall.SIGKILL)
}

func stopRedis(sys *system, _ *fault) (func() error, error) {
	return func() error { return sys.redis.signal(syscall.SIGCONT) }, sys.redis.signal(syscall.SIGSTOP)
}

func breakLink(services func(*system) []*service, link func(*service) *proxy.Link) faultFunc {
	return func(sys *system, f *fault) (func() error, error) {
		l := link(services(sys)[f.target])
		switch variants[f.variant] {
		case "cut":
			l.Cut()
		case "answers cut":
			l.CutAnswers()
		case "delayed":
			l.Delay(maxDelay * time.Duration(f.n%4+1) / 4)
		case "reset":
			l.Reset()
		}
		return func() error { l.Heal(); return nil }, nil
	}
}

// syncTimeout is the time that the brokers have to be in sync before their next fault.
const syncTimeout = 90 * time.Second

func awaitBrokers(sys *system) error {
	ctx, cancel := context.WithTimeout(context.Background(), syncTimeout)
	defer cancel()
	return sys.brokers.awaitInSync(ctx, ingest, deadLetters)
}
