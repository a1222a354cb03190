//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/millrace/millrace/bench/load"
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/token"
)

// testbed is what a comparison runs on: a folder, a broker and, where it is started, ClickHouse.
type testbed struct {
	*common
	dir        string
	broker     *measure.Broker
	clickhouse *measure.ClickHouse
	closers    []func()
}

// database is the name of the database in testbed.clickhouse.
const database = "millrace"

// retainBytes is the size of a partition: enough for readers that lag, little enough for a laptop's disk. A loader that
// reads from the start needs readableBytes.
const (
	retainBytes   = 64 << 20
	readableBytes = 8 * retainBytes
)

// newTestbed creates the folder and starts the broker, whose partitions keep about retain bytes.
func (c *common) newTestbed(ctx context.Context, retain int64) (b *testbed, err error) {
	b = &testbed{common: c}
	if b.dir, err = filepath.Abs(c.Dir); c.Dir == "" {
		b.dir, err = os.MkdirTemp("", "millrace-bench-*")
		b.onClose(func() { _ = os.RemoveAll(b.dir) })
	}
	if err != nil {
		return nil, err
	}
	say("starting the broker; logs are in %s", b.dir)
	if b.broker, err = c.startBroker(ctx, filepath.Join(b.dir, "broker"), retain); err != nil {
		b.close()
		return nil, err
	}
	b.onClose(b.broker.Stop)
	return b, nil
}

func (c *common) startBroker(ctx context.Context, dir string, retain int64) (*measure.Broker, error) {
	if c.Broker == "kfake" {
		return measure.StartKfake(ctx, dir)
	}
	return measure.StartKafka(ctx, c.Jars, dir, retain)
}

// onClose registers what close calls, last registered first.
func (b *testbed) onClose(f func()) { b.closers = append(b.closers, f) }

func (b *testbed) close() {
	for _, f := range slices.Backward(b.closers) {
		f()
	}
}

func (b *testbed) startClickHouse(ctx context.Context) (err error) {
	if b.clickhouse, err = measure.StartClickHouse(ctx, filepath.Join(b.dir, "clickhouse"), "", nil); err != nil {
		return err
	}
	b.onClose(func() { _ = b.clickhouse.Stop() }) // all results are in
	return nil
}

func (b *testbed) migrate(ctx context.Context, database string) error {
	return measure.Migrate(ctx, b.Bin, b.clickhouse.Addr(), database)
}

// services starts Millrace's services on the topics of a prefix, with their logs in a folder of that name.
func (b *testbed) services(prefix string) *measure.Millrace {
	return &measure.Millrace{Bin: b.Bin, Dir: filepath.Join(b.dir, prefix), Broker: b.broker, Prefix: prefix}
}

// startEdge creates connections and starts an edge on the topics of a prefix. It returns the path of each connection.
func (b *testbed) startEdge(
	ctx context.Context, client *stream.Client, prefix string, c measure.Connections, args ...string,
) (edge *measure.Service, paths []string, err error) {
	key := token.NewKey()
	if paths, err = c.Create(ctx, client, key); err != nil {
		return nil, nil, err
	}
	edge, err = b.services(prefix).StartEdge(ctx, key, args...)
	return edge, paths, err
}

// section starts the report of a comparison.
func (c *common) section(name, title string) *measure.Section {
	return &measure.Section{
		Name: name, Title: title, Command: command(os.Args[1:]), Machine: measure.ThisMachine(),
		Raw: map[string][]measure.Series{},
	}
}

// traffic is events of many users, whose times start now.
func (c *common) traffic(products int) traffic.Config {
	return traffic.Config{
		Seed: c.Seed, Products: products, Users: 100_000, EventsOnly: true, Start: time.Now(), Every: time.Millisecond,
	}
}

func productNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = traffic.Product(i)
	}
	return names
}

// bodiesBytes is roughly the memory of a run's bodies.
const bodiesBytes = 64 << 20

// bodiesFor is the number of different bodies of a run.
func bodiesFor(batch int) int { return bodiesBytes / (800 * batch) }

// requestsOf makes requests of bodies, to the path of each one's product.
func requestsOf(bodies []*traffic.Body, path func(product int) string) []*load.Request {
	requests := make([]*load.Request, len(bodies))
	for i, b := range bodies {
		requests[i] = load.NewRequest(path(b.Product), b)
	}
	return requests
}

// indexInto returns the path of a product's number.
func indexInto(paths []string) func(int) string {
	return func(product int) string { return paths[product] }
}
