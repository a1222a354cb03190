//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/parts"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/stream"
)

// What is measured of each point, beside what is of an edge's and of freshness.
const (
	atPoint      = "at"
	rowsPerBlock = "rows a block"
	missed       = "users looked up a block"
	firstCommit  = "s until the first commit"
	mbPerSecond  = "MB/s if alone"
	strangeShare = "others' share of the processors"
	idleShare    = "idle share"
	alone        = "events/s if alone"
	logBytes     = "B/event in Kafka"
	wireBytes    = "B/event to ClickHouse"
	diskBytes    = "B/event in ClickHouse"
	storeAll     = "ClickHouse's µs/event with all merges"
)

// inMemory are users, and as many browsers, whom a loader has met before: nearly what stays in its memory by default.
const inMemory = 50_000

// store is a database and topics of one run, or of several that find more in it each time.
type store struct {
	*ground
	name   string // of the database, and what the topics' names begin with
	ingest string // the topic
	events int    // that it has had

	perEvent float64 // bytes in Kafka of those that count
}

func (w *ground) loaderAt(ctx context.Context, p *point) (measure.Values, error) {
	s := &store{ground: w}
	values, err := s.at(ctx, p)
	if err != nil {
		return nil, err
	}
	return values, s.drop(ctx)
}

// at fills the topic, has a loader load it, and looks that every event has become a row.
func (s *store) at(ctx context.Context, p *point) (measure.Values, error) {
	if err := s.open(ctx, p); err != nil {
		return nil, err
	}
	if err := s.grow(ctx, p.rows); err != nil {
		return nil, fmt.Errorf("make rows: %w", err)
	}
	n := s.Events
	if p.bytes > 0 {
		n = min(n, s.Bytes/p.bytes)
	}
	known, err := s.fill(ctx, p, n)
	if err != nil {
		return nil, err
	}
	values, err := s.load(ctx, p, known, n)
	if err != nil {
		return nil, err
	}
	stored, err := s.clickhouse.Count(ctx, s.name, "SELECT uniqExact(insert_id) FROM events WHERE kafka_offset >= 0")
	if err == nil && stored != s.events {
		err = fmt.Errorf("%d events are in the topic and %d in the table", s.events, stored)
	}
	return values, err
}

// fill writes messages of the users that a loader is to have in memory, and then n others.
func (s *store) fill(ctx context.Context, p *point, n int) (known int, err error) {
	s.runs++
	c := s.traffic(p)
	known = 2 * min(p.users, inMemory)
	s.events += known + n
	err = s.withStream(p, func(client *stream.Client) error { return traffic.FillUsers(ctx, client, c, known/2) })
	if err != nil {
		return 0, err
	}
	before := s.logSize()
	err = s.withStream(p, func(client *stream.Client) error { return traffic.Fill(ctx, client, c, n, nil) })
	s.perEvent = float64(s.logSize()-before) / float64(n)
	return known, err
}

// withStream has a client of its own, for each can have but one producer of a name.
func (s *store) withStream(p *point, do func(*stream.Client) error) error {
	client, err := s.broker.Stream(s.name, p.partitions)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(client)
}

func (s *store) open(ctx context.Context, p *point) (err error) {
	if s.name != "" {
		return nil
	}
	s.runs++
	s.name = fmt.Sprintf("growth%d", s.runs)
	err = s.withStream(p, func(client *stream.Client) error {
		s.ingest = client.Topics().Ingest
		return client.AwaitTopics(ctx)
	})
	if err != nil {
		return err
	}
	if err = parts.Migrate(ctx, s.common.Bin, s.clickhouse.Addr(), s.name); err != nil {
		return err
	}
	return s.settle(ctx, p)
}

// drop makes room.
func (s *store) drop(ctx context.Context) error {
	_, err := s.clickhouse.SQL(ctx, "default", "DROP DATABASE "+s.name+" SYNC")
	return err
}

// load has a loader take the topic in, and measures the middle of it.
func (s *store) load(ctx context.Context, p *point, known, n int) (measure.Values, error) {
	began := time.Now()
	loader, err := parts.StartLoader(ctx, s.common.Bin, filepath.Join(s.dir, s.name), s.broker, s.name, s.clickhouse.Addr(), s.name, s.LoaderArgs...)
	if err != nil {
		return nil, err
	}
	defer loader.Stop()
	measure.ResetPeak(s.clickhouse.Pid())
	whole := meter{processes: map[string]int{storeAll: s.clickhouse.Pid()}}
	whole.begin()
	middle, err := s.watch(ctx, loader, float64(known), float64(n))
	if err != nil {
		return nil, err
	}
	v := middle.values()
	v[logBytes] = s.perEvent
	v[mbPerSecond] = v[alone] * p.mean() / 1e6
	v[firstCommit] = middle.first.at.Sub(began).Seconds()
	if err := s.weigh(ctx, v, loader); err != nil {
		return nil, err
	}
	if s.Settle > 0 {
		if err := s.merge(ctx, s.Settle); err != nil {
			return nil, err
		}
		whole.end()
		v[storeAll] = whole.perEvent(known + n)[storeAll]
	}
	return v, nil
}

// realBytes is about what a message has on average if its size is not asked for.
const realBytes = 730

func (p *point) mean() float64 { return float64(cmp.Or(p.bytes, realBytes)) }

// weigh adds what memory, disks and the network had to carry.
func (s *store) weigh(ctx context.Context, v measure.Values, loader *parts.Part) error {
	loaders, err := loader.Usage()
	if err != nil {
		return err
	}
	stores, err := s.clickhouse.Usage()
	if err != nil {
		return err
	}
	v[loaderMiB], v[storeMiB] = float64(loaders.PeakBytes)/(1<<20), float64(stores.PeakBytes)/(1<<20)
	perRow, err := s.clickhouse.Count(ctx, s.name, "SELECT toUInt64(sum(bytes_on_disk) / sum(rows)) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'events'")
	v[diskBytes] = float64(perRow)
	return err
}

// logSize is what the ingest topic takes on the broker's disk; 0 where the broker is not Apache Kafka.
func (s *store) logSize() (sum int64) {
	logs, _ := filepath.Glob(filepath.Join(s.dir, "broker", "data", s.ingest+"-*", "*.log"))
	for _, path := range logs {
		if info, err := os.Stat(path); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// merge waits until ClickHouse has merged what it wants to merge, but not for long.
func (s *store) merge(ctx context.Context, most time.Duration) error {
	for until := time.Now().Add(most); time.Now().Before(until); time.Sleep(time.Second) {
		if n, err := s.clickhouse.Count(ctx, s.name, "SELECT count() FROM system.merges WHERE database = currentDatabase()"); err != nil || n == 0 {
			return err
		}
	}
	return nil
}
