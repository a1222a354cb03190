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
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/stream"
)

// What each point measures besides throughput, processor time and memory.
const (
	atPoint      = "at"
	rowsPerBlock = "rows a block"
	lookedUp     = "users looked up a block"
	firstCommit  = "s until the first commit"
	mbPerSecond  = "MB/s if alone"
	othersShare  = "others' share of the processors"
	idleShare    = "idle share"
	ifAlone      = "events/s if alone"
	logBytes     = "B/event in Kafka"
	wireBytes    = "B/event to ClickHouse"
	diskBytes    = "B/event in ClickHouse"
	storeAll     = "ClickHouse's µs/event with all merges"
)

// usersInMemory is the number of users that the loader's cache contains at the start, and as many browsers: nearly the
// default size of the cache.
const usersInMemory = 50_000

// loaderRun is a database and topics of one point, or of several points of one growing table.
type loaderRun struct {
	*growth
	name   string // of the database, and prefix of the topics
	ingest string // the topic
	events int    // written to the topic

	perEvent float64 // bytes in Kafka of the measured events
}

func (w *growth) loaderAt(ctx context.Context, p *point) (measure.Values, error) {
	s := &loaderRun{growth: w}
	values, err := s.at(ctx, p)
	if err != nil {
		return nil, err
	}
	return values, s.drop(ctx)
}

// at fills the topic, has a loader load it, and checks that every event is stored.
func (s *loaderRun) at(ctx context.Context, p *point) (measure.Values, error) {
	if err := s.open(ctx, p); err != nil {
		return nil, err
	}
	if err := s.copyRows(ctx, p.rows); err != nil {
		return nil, fmt.Errorf("copy rows: %w", err)
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

// open creates the topics and the database with its users, for the first point.
func (s *loaderRun) open(ctx context.Context, p *point) (err error) {
	if s.name != "" {
		return nil
	}
	s.runs++
	s.name = fmt.Sprintf("growth%d", s.runs)
	err = s.withClient(p, func(client *stream.Client) error {
		s.ingest = client.Topics().Ingest
		return client.AwaitTopics(ctx)
	})
	if err != nil {
		return err
	}
	if err = s.migrate(ctx, s.name); err != nil {
		return err
	}
	return s.insertUsers(ctx, p)
}

// fill writes messages of the users that the loader's cache is to contain, and then n messages that are measured.
func (s *loaderRun) fill(ctx context.Context, p *point, n int) (known int, err error) {
	s.runs++
	c := s.pointTraffic(p)
	known = 2 * min(p.users, usersInMemory)
	s.events += known + n
	err = s.withClient(p, func(client *stream.Client) error { return traffic.FillUsers(ctx, client, c, known/2) })
	if err != nil {
		return 0, err
	}
	before := s.logSize()
	err = s.withClient(p, func(client *stream.Client) error { return traffic.Fill(ctx, client, c, n) })
	s.perEvent = float64(s.logSize()-before) / float64(n)
	return known, err
}

// withClient uses a new client, since a client can have only one producer of a name.
func (s *loaderRun) withClient(p *point, do func(*stream.Client) error) error {
	client, err := s.broker.Stream(s.name, p.partitions)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(client)
}

func (s *loaderRun) drop(ctx context.Context) error {
	_, err := s.clickhouse.SQL(ctx, "default", "DROP DATABASE "+s.name+" SYNC")
	return err
}

// load has a loader load the topic, and measures it between warm caches and the last events.
func (s *loaderRun) load(ctx context.Context, p *point, known, n int) (measure.Values, error) {
	began := time.Now()
	loader, err := s.services(s.name).StartLoader(ctx, s.clickhouse.Addr(), s.name, s.LoaderArgs...)
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
	v[mbPerSecond] = v[ifAlone] * p.meanBytes() / 1e6
	v[firstCommit] = middle.first.at.Sub(began).Seconds()
	if err := s.addSizes(ctx, v, loader); err != nil {
		return nil, err
	}
	if s.Settle > 0 {
		if err := s.awaitMerges(ctx, s.Settle); err != nil {
			return nil, err
		}
		whole.end()
		v[storeAll] = whole.perEvent(known + n)[storeAll]
	}
	return v, nil
}

// realisticBytes is roughly the mean size of a message that has no fixed size.
const realisticBytes = 730

func (p *point) meanBytes() float64 { return float64(cmp.Or(p.bytes, realisticBytes)) }

// addSizes adds memory and the size of the table.
func (s *loaderRun) addSizes(ctx context.Context, v measure.Values, loader *measure.Service) error {
	used, err := loader.Usage()
	if err != nil {
		return err
	}
	store, err := s.clickhouse.Usage()
	if err != nil {
		return err
	}
	v[loaderMiB], v[storeMiB] = mib(used.PeakBytes), mib(store.PeakBytes)
	perRow, err := s.clickhouse.Count(ctx, s.name, `SELECT toUInt64(sum(bytes_on_disk) / sum(rows)) FROM system.parts
		WHERE active AND database = currentDatabase() AND table = 'events'`)
	v[diskBytes] = float64(perRow)
	return err
}

// logSize is the size of the ingest topic on the broker's disk; 0 unless the broker is Apache Kafka.
func (s *loaderRun) logSize() (sum int64) {
	logs, _ := filepath.Glob(filepath.Join(s.dir, "broker", "data", s.ingest+"-*", "*.log"))
	for _, path := range logs {
		if info, err := os.Stat(path); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// awaitMerges waits until ClickHouse has no merges, at most for the given time.
func (s *loaderRun) awaitMerges(ctx context.Context, most time.Duration) error {
	const merges = "SELECT count() FROM system.merges WHERE database = currentDatabase()"
	for until := time.Now().Add(most); time.Now().Before(until); time.Sleep(time.Second) {
		if n, err := s.clickhouse.Count(ctx, s.name, merges); err != nil || n == 0 {
			return err
		}
	}
	return nil
}
