//go:build linux

package baselines

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/embedded"
)

// Loader is a program that loads the ingest topic into the events table of a database.
type Loader struct {
	Key      string  // on the command line
	Name     string  // in the report
	Settings string  // for the report
	Maps     bool    // its rows equal ours in all columns that depend on the message
	Goal     float64 // minimum of our events/s over its own
	Less     bool    // whether our processor time should be less than its own
	fetch    func(ctx context.Context, p *Place) error
	start    func(ctx context.Context, t *Table) (*Loading, error)
}

// Table is the topic that a loader reads and the table that it fills.
type Table struct {
	Place
	ClickHouse *measure.ClickHouse
	Database   string
	Partitions int // of the topic
	Traffic    traffic.Config
	Events     int // messages in the topic
}

// Loading is a prepared loader, which does nothing until Begin.
type Loading struct {
	Process *measure.Process            // nil before it starts, and if it works in ClickHouse
	Begin   func(context.Context) error // may start a process
}

// Stop stops the process, if there is one.
func (l *Loading) Stop() {
	if l.Process != nil {
		l.Process.Stop()
	}
}

// Fetch downloads what the loader needs. It returns a *Missing error if the machine lacks its runtime.
func (l *Loader) Fetch(ctx context.Context, p *Place) error {
	if l.fetch == nil {
		return nil
	}
	return l.fetch(ctx, p)
}

// Start prepares the loader.
func (l *Loader) Start(ctx context.Context, t *Table) (*Loading, error) { return l.start(ctx, t) }

// Loaders are all such programs; the first is the limit.
var Loaders = []*Loader{
	{
		Key:  "bare",
		Name: "bare limit",
		Maps: true,
		Goal: .6,
		Settings: "the same rows as native blocks of 100,000, built in memory before the round and sent over 2 connections " +
			"without compression; they contain users and organizations. Its processor time counts from the first block on; " +
			"its memory is that of the blocks.",
		start: startBare,
	},
	kafkaEngine,
	pythonScript,
	seaTunnel,
}

func startBare(ctx context.Context, t *Table) (*Loading, error) {
	path, err := filepath.Abs(filepath.Join(t.Bin, "bareloader"))
	if err != nil {
		return nil, err
	}
	addrs, err := embedded.FreeAddrs("127.0.0.1", 1)
	if err != nil {
		return nil, err
	}
	c := &t.Traffic
	args := []string{
		"--http",
		addrs[0],
		"--clickhouse",
		t.ClickHouse.Addr(),
		"--database",
		t.Database,
		"--seed",
		strconv.FormatUint(c.Seed, 10),
		"--products",
		strconv.Itoa(c.Products),
		"--users",
		strconv.Itoa(c.Users),
		"--start",
		c.Start.Format(time.RFC3339Nano),
		"--every",
		c.Every.String(),
		"--events",
		strconv.Itoa(t.Events),
		"--partitions",
		strconv.Itoa(t.Partitions),
	}
	process, err := start(ctx, measure.Program{Name: "bareloader", Path: path, Args: args, Dir: t.Dir}, addrs[0])
	if err != nil {
		return nil, err
	}
	return &Loading{
		Process: process,
		Begin:   func(ctx context.Context) error { return trigger(ctx, "http://"+addrs[0]) },
	}, nil
}

// trigger sends the request that makes bareloader send its blocks, and does not wait for the answer at their end.
func trigger(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	go func() {
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}()
	return nil
}

// sql executes statements in order.
func (t *Table) sql(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := t.ClickHouse.SQL(ctx, t.Database, s); err != nil {
			return fmt.Errorf("%.60s…: %w", s, err)
		}
	}
	return nil
}
