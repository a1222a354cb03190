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
	"github.com/millrace/millrace/bench/parts"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/embedded"
)

// Loader takes the topic of ingested messages into the events table of a database.
type Loader struct {
	Key      string  // by which it is named on the command line
	Name     string  // of the column in the report
	Settings string  // for the report
	Maps     bool    // its rows hold what ours do, as far as they are read of messages
	Goal     float64 // what our events/s over its own are to be at least
	Less     bool    // our processor time is to be less than its own
	fetch    func(ctx context.Context, p *Place) error
	start    func(ctx context.Context, t *Table) (*Loading, error)
}

// Table is what a loader reads and fills.
type Table struct {
	Place
	ClickHouse *parts.ClickHouse
	Database   string
	Partitions int // of the topic
	Traffic    traffic.Config
	Events     int // messages in the topic
}

// Loading is a loader that has been made ready, and does nothing until it is told to begin.
type Loading struct {
	Process *measure.Process            // nil if it has none yet, or does its work in ClickHouse
	Begin   func(context.Context) error // begins, which may be to start a process
}

// Stop ends it.
func (l *Loading) Stop() {
	if l.Process != nil {
		l.Process.Stop()
	}
}

// Fetch fetches what the loader needs. A *Missing error says what that is, and is not on this machine.
func (l *Loader) Fetch(ctx context.Context, p *Place) error {
	if l.fetch == nil {
		return nil
	}
	return l.fetch(ctx, p)
}

// Start makes the loader ready.
func (l *Loader) Start(ctx context.Context, t *Table) (*Loading, error) { return l.start(ctx, t) }

// Loaders are all of them; the first is the limit.
var Loaders = []*Loader{
	{
		Key: "bare", Name: "bare limit", Maps: true, Goal: .6,
		Settings: "the same rows as native blocks of 100,000 made beforehand and kept in memory, sent over 2 connections without compression; users and organizations are in them. " +
			"Its processor time counts from the first block on; its memory is that of the blocks.",
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
	args := []string{"--http", addrs[0], "--clickhouse", t.ClickHouse.Addr(), "--database", t.Database, "--seed", strconv.FormatUint(c.Seed, 10),
		"--products", strconv.Itoa(c.Products), "--users", strconv.Itoa(c.Users), "--start", c.Start.Format(time.RFC3339Nano), "--every", c.Every.String(),
		"--events", strconv.Itoa(t.Events), "--partitions", strconv.Itoa(t.Partitions)}
	process, err := start(ctx, measure.Program{Name: "bareloader", Path: path, Args: args, Dir: t.Dir}, addrs[0])
	if err != nil {
		return nil, err
	}
	return &Loading{Process: process, Begin: func(ctx context.Context) error { return tell(ctx, "http://"+addrs[0]) }}, nil
}

// tell has what was made ready begin. The answer comes when all is done, and is not waited for: the rows show it.
func tell(ctx context.Context, url string) error {
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

// sql runs statements one after the other.
func (t *Table) sql(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := t.ClickHouse.SQL(ctx, t.Database, s); err != nil {
			return fmt.Errorf("%.60s…: %w", s, err)
		}
	}
	return nil
}
