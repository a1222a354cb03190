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

// part is an edge or a loader and its links: to the brokers, and to Redis or ClickHouse.
type part struct {
	*process
	http, admin  string
	kafka, store *proxy.Link
	lastOK       atomic.Int64 // when the latest request began that it answered with 200
}

func (p *part) answered(begin time.Time) {
	if at := begin.UnixNano(); at > p.lastOK.Load() {
		p.lastOK.Store(at)
	}
}

// links makes a part's links.
func (w *world) links(store string) (kafka, other *proxy.Link, err error) {
	if kafka, err = proxy.NewKafka(w.brokers.addrs()...); err != nil {
		return nil, nil, err
	}
	w.closers = append(w.closers, func() error { kafka.Close(); return nil })
	if other, err = proxy.New(store); err != nil {
		return nil, nil, err
	}
	w.closers = append(w.closers, func() error { other.Close(); return nil })
	return kafka, other, nil
}

func (w *world) part(name, program, store string, args func(store string) []string) (*part, error) {
	admin, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p := &part{admin: "http://" + admin}
	if p.kafka, p.store, err = w.links(store); err != nil {
		return nil, err
	}
	env := []string{"MILLRACE_TOKEN_KEY=" + w.cli.tokenKey, controlEnv + "=" + w.cli.Control}
	all := append([]string{"--brokers", strings.Join(p.kafka.Addrs(), ","), "--partitions", fmt.Sprint(partitions), "--admin", admin}, args(p.store.Addrs()[0])...)
	p.process = w.process(name, filepath.Join(w.cli.Bin, program), env, all...)
	return p, nil
}

func (w *world) startParts(ctx context.Context) error {
	for i := range edges {
		http, err := freeAddr()
		if err != nil {
			return err
		}
		p, err := w.part(fmt.Sprintf("edge-%d", i+1), "edge", w.redis.addr, func(redis string) []string {
			return []string{"--http", http, "--redis", "redis://" + redis}
		})
		if err != nil {
			return err
		}
		p.http = "http://" + http
		w.edges = append(w.edges, p)
	}
	for i := range loaders + 1 {
		name := fmt.Sprintf("loader-%d", i+1)
		p, err := w.part(name, "loader", w.clickhouse.Addr(), func(clickhouse string) []string {
			// An insert is given up soon, so that a ClickHouse that hangs leaves some whose outcome nobody knows.
			args := []string{"--clickhouse", clickhouse, "--database", database, "--insert-timeout", "5s"}
			if i < loaders { // the one that comes and goes is a member without a name
				args = append(args, "--instance-id", name)
			}
			return args
		})
		if err != nil {
			return err
		}
		w.loaders = append(w.loaders, p)
	}
	for _, p := range w.meant() {
		if err := p.start(); err != nil {
			return err
		}
	}
	return w.awaitReady(ctx)
}

// meant are the parts that are meant to run.
func (w *world) meant() []*part { return append(append([]*part{}, w.edges...), w.loaders[:loaders]...) }

func (w *world) awaitReady(ctx context.Context) error {
	for _, p := range w.meant() {
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
				return fmt.Errorf("%s does not get ready; see %s", p.name, p.logFile)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}
