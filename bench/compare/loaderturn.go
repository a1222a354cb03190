//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/bench/baselines"
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/parts"
)

// What is measured of each turn, beside events/s.
const (
	loaderPerMillion = "loader's CPU s/million"
	storePerMillion  = "ClickHouse's CPU s/million"
	bothPerMillion   = "both CPU s/million"
	brokerPerMillion = "broker's CPU s/million"
	storeMiB         = "ClickHouse's MiB"
	firstSeconds     = "s to the first rows"
	partsLeft        = "parts left"
)

// loaderProfile spares the others what ours does without in each insert, and what costs a quarter of one: to look in each block
// for rows of one key. SeaTunnel's client is too old for answers that HTTP itself has compressed.
const loaderProfile = "<optimize_on_insert>0</optimize_on_insert><enable_http_compression>0</enable_http_compression>"

const (
	watchEvery = 100 * time.Millisecond
	watchMost  = 15 * time.Minute
)

// turn has one contestant fill a new database, and looks at what is in it.
func (t *track) turn(ctx context.Context, c *contestant) (v measure.Values, err error) {
	t.taken++
	database := fmt.Sprintf("turn_%d", t.taken)
	if t.clickhouse, err = parts.StartClickHouse(ctx, filepath.Join(t.dir, "clickhouse"), loaderProfile); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.clickhouse.Stop()) }()
	if err = parts.Migrate(ctx, t.common.Bin, t.clickhouse.Addr(), database); err != nil {
		return nil, err
	}
	table := &baselines.Table{
		Place:      baselines.Place{Bin: t.common.Bin, Cache: t.common.Cache, Dir: filepath.Join(t.dir, database), Broker: t.broker.Addr, Topic: t.topic},
		ClickHouse: t.clickhouse, Database: database, Partitions: t.Partitions, Traffic: t.traffic, Events: t.Events,
	}
	if v, err = t.load(ctx, c, table); err != nil {
		return nil, err
	}
	if err = t.check(ctx, c, table); err != nil {
		return nil, err
	}
	_, err = t.clickhouse.SQL(ctx, "default", "DROP DATABASE "+database+" SYNC")
	return v, err
}

// load measures how the table is filled. What is made ready before does not count.
func (t *track) load(ctx context.Context, c *contestant, table *baselines.Table) (measure.Values, error) {
	loading, err := c.start(ctx, table)
	if err != nil {
		return nil, err
	}
	defer loading.Stop()
	before, err := usedBy(loading)
	if err != nil {
		return nil, err
	}
	m := meter{processes: map[string]int{storePerMillion: t.clickhouse.Pid(), brokerPerMillion: t.broker.Pid()}}
	measure.ResetPeak(t.clickhouse.Pid())
	m.begin()
	w := &watch{track: t, table: table, loading: loading, begin: time.Now()}
	if err := loading.Begin(ctx); err != nil {
		return nil, err
	}
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	m.end()
	after, err := usedBy(loading)
	if err != nil {
		return nil, err
	}
	store, err := t.clickhouse.Usage()
	if err != nil {
		return nil, err
	}
	v := m.perEvent(t.Events) // microseconds an event are seconds a million
	v[loaderPerMillion] = micros(after.CPU-before.CPU, t.Events)
	v[bothPerMillion] = v[loaderPerMillion] + v[storePerMillion]
	v[loaderMiB], v[storeMiB] = float64(after.PeakBytes)/(1<<20), float64(store.PeakBytes)/(1<<20)
	v[eventsPerSecond], v[firstSeconds] = w.rate(), w.first.Sub(w.begin).Seconds()
	left, err := t.clickhouse.Count(ctx, table.Database, "SELECT count() FROM system.parts WHERE active AND table = 'events' AND database = currentDatabase()")
	v[partsLeft] = float64(left)
	return v, err
}

func usedBy(l *baselines.Loading) (measure.Usage, error) {
	if l.Process == nil {
		return measure.Usage{}, nil
	}
	return l.Process.Usage()
}

// watch looks how many rows there are until all are there.
type watch struct {
	track   *track
	table   *baselines.Table
	loading *baselines.Loading

	begin, first, last time.Time // when it began, and when the first rows and all of them were seen
	atFirst            int       // how many the first were
}

// rate is rows by time from the first that were seen to the last: what a program does once, as a Java machine's start and
// joining the group, is in the seconds before the first.
func (w *watch) rate() float64 {
	if w.atFirst >= w.track.Events { // all at once: too few for a rate
		return float64(w.track.Events) / w.last.Sub(w.begin).Seconds()
	}
	return float64(w.track.Events-w.atFirst) / w.last.Sub(w.first).Seconds()
}

// wait returns when all events are there. As many rows may have some of them twice, so they are looked at then.
func (w *watch) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, watchMost)
	defer cancel()
	for {
		ended := w.ended() // before it is counted: what it has stored is to be seen then
		n, err := w.count(ctx, "SELECT count() FROM events")
		if err != nil {
			return err
		}
		now := time.Now()
		if n > 0 && w.first.IsZero() {
			w.first, w.atFirst = now, n
		}
		if n >= w.track.Events {
			if n, err = w.count(ctx, "SELECT uniqExact(insert_id) FROM events"); err != nil {
				return err
			}
			if w.last = now; n >= w.track.Events {
				return nil
			}
		}
		if ended {
			return fmt.Errorf("the loader has ended with %d of %d events stored; its log is in %s", n, w.track.Events, w.table.Dir)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d events are stored: %w", n, w.track.Events, ctx.Err())
		case <-time.After(watchEvery):
		}
	}
}

// ended tells whether the loader's process has ended.
func (w *watch) ended() bool {
	if w.loading.Process == nil {
		return false
	}
	select {
	case <-w.loading.Process.Ended():
		return true
	default:
		return false
	}
}

func (w *watch) count(ctx context.Context, query string) (int, error) {
	return w.track.clickhouse.Count(ctx, w.table.Database, query)
}

// checksum is of what an event's row holds of its message. Properties are the message's bytes in ours, and in SQL what
// is left of them when they have been read and written again.
const checksum = `SELECT sum(cityHash64(workspace_id, product_id, connection_id, source, insert_id, message_type, event_type, ifNull(source_event, '-'),
	event_at, event_at_source, event_key_at, received_at, ifNull(external_user_id, '-'), ifNull(user_email, '-'), ifNull(user_name, '-'),
	ifNull(external_organization_id, '-'), ifNull(organization_name, '-'), ifNull(external_conversation_id, '-'), influence, ifNull(quality_impact_score, -2),
	ifNull(value, -1), ifNull(toString(value_type), '-'), currency, length(properties) > 2, version)) FROM events`

// check looks that the rows are those that whoever came first made of the same messages.
func (t *track) check(ctx context.Context, c *contestant, table *baselines.Table) error {
	sum, err := t.clickhouse.SQL(ctx, table.Database, checksum)
	if err != nil || !c.maps {
		return err
	}
	if t.rows == "" {
		t.rows = sum
	}
	if t.rows != sum {
		return fmt.Errorf("%s has not made the same rows of the messages as those before", c.name)
	}
	return nil
}
