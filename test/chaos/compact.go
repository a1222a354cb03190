//go:build linux

package main

import (
	"context"
	"strconv"
	"time"

	"github.com/millrace/millrace/test/env/proxy"
)

// Merges are off, so that they cannot hide rows that are there twice; but a table of thousands of parts is slow
// to read. So now and then the loaders are cut off from ClickHouse, the rows are looked at, and all parts are
// merged into one of each month.
const (
	compactPoll    = 5 * time.Second
	compactParts   = 800
	compactTimeout = time.Minute
)

func (s *storm) compact(ctx, load context.Context, v *verdict) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(compactPoll):
		}
		parts, err := s.sql(ctx, "SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'events' AND active")
		if n, _ := strconv.Atoi(parts); err == nil && n > compactParts {
			s.compactNow(ctx, load, v)
		}
	}
}

var compaction = kind{name: "all loaders cut off from ClickHouse", back: backLoading}

func (s *storm) compactNow(ctx, load context.Context, v *verdict) {
	places := []string{"clickhouse-0"}
	for i := range loaders {
		places = append(places, "loader-clickhouse-"+strconv.Itoa(i))
	}
	for i, place := range places {
		if !s.occupy(ctx, place) {
			for _, taken := range places[:i] {
				s.leave(taken)
			}
			return
		}
		defer s.leave(place)
	}
	s.compactOnce(ctx, load, v)
}

func (s *storm) compactOnce(ctx, load context.Context, v *verdict) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), compactTimeout)
	defer cancel()
	f, begin := &fault{kind: &compaction}, time.Now()
	s.log.Info("fault", "fault", f.kind.name)
	links := s.storeLinks()
	for _, l := range links {
		l.Cut()
		l.Reset() // or an insert whose bytes were swallowed would go on waiting for them
	}
	err := s.awaitIdle(ctx)
	if err == nil {
		if err = s.judgeRows(ctx, v); err == nil {
			_, err = s.sql(ctx, "OPTIMIZE TABLE events FINAL SETTINGS optimize_throw_if_noop = 0, receive_timeout = 60")
		}
	}
	for _, l := range links {
		l.Heal()
	}
	healed := time.Now()
	s.log.Info("healed", "fault", f.kind.name, "after", healed.Sub(begin).Round(time.Millisecond), "rows", v.rows, "error", err)
	s.note(f.kind, func(h *happened) { h.made++ })
	s.recover.Go(func() { s.recovery(load, f, begin, healed) })
}

func (s *storm) storeLinks() (links []*proxy.Link) {
	for _, p := range s.loaders {
		links = append(links, p.store)
	}
	return links
}

// awaitIdle returns when no insert is under way.
func (s *storm) awaitIdle(ctx context.Context) error {
	for {
		running, err := s.sql(ctx, "SELECT count() FROM system.processes WHERE query_kind = 'Insert'")
		if err != nil || running == "0" {
			return err
		}
		time.Sleep(watchPoll)
	}
}
