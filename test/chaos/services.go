//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/test/env/proxy"
)

// service is an edge or a loader with its links to the brokers, and to Redis or ClickHouse.
type service struct {
	*supervised
	http, admin  string
	kafka, store *proxy.Link
	lastOK       atomic.Int64 // start of the latest request that it answered with 200
}

func (p *service) answered(begin time.Time) {
	if at := begin.UnixNano(); at > p.lastOK.Load() {
		p.lastOK.Store(at)
	}
}

// links creates the links of a service.
func (sys *system) links(store string) (kafka, other *proxy.Link, err error) {
	if kafka, err = proxy.NewKafka(sys.brokers.addrs()...); err != nil {
		return nil, nil, err
	}
	sys.closers = append(sys.closers, func() error { kafka.Close(); return nil })
	if other, err = proxy.New(store); err != nil {
		return nil, nil, err
	}
	sys.closers = append(sys.closers, func() error { other.Close(); return nil })
	return kafka, other, nil
}

func (sys *system) newService(name, program, store string, args func(store string) []string) (*service, error) {
	admin, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p := &service{admin: "http://" + admin}
	if p.kafka, p.store, err = sys.links(store); err != nil {
		return nil, err
	}
	env := []string{"MILLRACE_TOKEN_KEY=" + sys.cli.tokenKey, controlEnv + "=" + sys.cli.Control}
	common := []string{
		"--brokers", strings.Join(p.kafka.Addrs(), ","), "--partitions", fmt.Sprint(partitions), "--admin", admin,
	}
	all := append(common, args(p.store.Addrs()[0])...)
	p.supervised = sys.supervise(name, filepath.Join(sys.cli.Bin, program), env, all...)
	return p, nil
}

func (sys *system) startServices(ctx context.Context) error {
	for i := range edges {
		http, err := freeAddr()
		if err != nil {
			return err
		}
		p, err := sys.newService(fmt.Sprintf("edge-%d", i+1), "edge", sys.redis.addr, func(redis string) []string {
			return []string{"--http", http, "--redis", "redis://" + redis}
		})
		if err != nil {
			return err
		}
		p.http = "http://" + http
		sys.edges = append(sys.edges, p)
	}
	for i := range loaders + 1 {
		name := fmt.Sprintf("loader-%d", i+1)
		p, err := sys.newService(name, "loader", sys.clickhouse.Addr(), func(clickhouse string) []string {
			// A short time-out leaves inserts with an unknown result when ClickHouse hangs.
			args := []string{"--clickhouse", clickhouse, "--database", database, "--insert-timeout", "5s"}
			if i < loaders { // the additional one is a dynamic member
				args = append(args, "--instance-id", name)
			}
			return args
		})
		if err != nil {
			return err
		}
		sys.loaders = append(sys.loaders, p)
	}
	for _, p := range sys.permanent() {
		if err := p.start(); err != nil {
			return err
		}
	}
	return sys.awaitReady(ctx)
}

// permanent lists the services that run outside of their faults.
func (sys *system) permanent() []*service {
	return append(append([]*service{}, sys.edges...), sys.loaders[:loaders]...)
}

func (sys *system) awaitReady(ctx context.Context) error {
	for _, p := range sys.permanent() {
		for {
			response, err := http.Get(p.admin + "/readyz")
			if err == nil {
				_ = response.Body.Close()
				if response.StatusCode == http.StatusOK {
					break
				}
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s does not become ready; see %s", p.config.Name, p.config.LogFile)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}
