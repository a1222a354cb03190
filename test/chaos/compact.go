//go:build linux

package main

import (
	"context"
	"strconv"
	"time"

	"github.com/millrace/millrace/test/env/proxy"
)

// Merges are off, so that they cannot hide duplicate rows, but thousands of parts are slow to read. Now and then the
// links from loaders to ClickHouse are cut, the rows are checked, and all parts are merged into one of each month.
const (
	compactPoll    = 5 * time.Second
	compactParts   = 800
	compactTimeout = time.Minute
)

func (s *faultRun) compact(ctx, load context.Context, v *result) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(compactPoll):
		}
		const count = "SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'events' AND active"
		parts, err := s.sql(ctx, count)
		if n, _ := strconv.Atoi(parts); err == nil && n > compactParts {
			s.compactNow(ctx, load, v)
		}
	}
}

var compaction = kind{name: "all loaders without ClickHouse"}

func (s *faultRun) compactNow(ctx, load context.Context, v *result) {
	places := []string{"clickhouse-0"}
	for i := range loaders {
		places = append(places, "loader-clickhouse-"+strconv.Itoa(i))
	}
	for i, place := range places {
		if !s.occupy(ctx, place) {
			for _, taken := range places[:i] {
				s.release(taken)
			}
			return
		}
		defer s.release(place)
	}
	s.compactOnce(ctx, load, v)
}

func (s *faultRun) compactOnce(ctx, load context.Context, v *result) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), compactTimeout)
	defer cancel()
	f, begin := &fault{kind: &compaction}, time.Now()
	s.log.Info("fault", "fault", f.kind.name)
	links := s.storeLinks()
	for _, l := range links {
		l.Cut()
		l.Reset() // otherwise an insert would wait for bytes that the cut link dropped
	}
	err := s.awaitIdle(ctx)
	if err == nil {
		if err = s.checkRows(ctx, v); err == nil {
			_, err = s.sql(ctx, "OPTIMIZE TABLE events FINAL SETTINGS optimize_throw_if_noop = 0, receive_timeout = 60")
		}
	}
	for _, l := range links {
		l.Heal()
	}
	healed := time.Now()
	s.log.Info("healed", "fault", f.kind.name,
		"after", healed.Sub(begin).Round(time.Millisecond), "rows", v.rows, "error", err)
	s.update(f.kind, func(h *faultStats) { h.made++ })
	s.recoveries.Go(func() { s.recovery(load, f, begin, healed) })
}

func (s *faultRun) storeLinks() (links []*proxy.Link) {
	for _, p := range s.loaders {
		links = append(links, p.store)
	}
	return links
}

// awaitIdle returns when no insert runs.
func (s *faultRun) awaitIdle(ctx context.Context) error {
	for {
		running, err := s.sql(ctx, "SELECT count() FROM system.processes WHERE query_kind = 'Insert'")
		if err != nil || running == "0" {
			return err
		}
		time.Sleep(watchPoll)
	}
}
