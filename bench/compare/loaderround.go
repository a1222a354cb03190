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
)

// What each round measures besides events/s and memory.
const (
	loaderPerMillion = "loader's CPU s/million"
	storePerMillion  = "ClickHouse's CPU s/million"
	bothPerMillion   = "both CPU s/million"
	brokerPerMillion = "broker's CPU s/million"
	firstSeconds     = "s to the first rows"
	partsLeft        = "parts left"
)

// loaderProfile are ClickHouse settings for all contenders. Our inserts set optimize_on_insert themselves: it costs a
// quarter of an insert. SeaTunnel's client cannot read compressed HTTP answers.
const loaderProfile = "<optimize_on_insert>0</optimize_on_insert><enable_http_compression>0</enable_http_compression>"

const (
	rowPoll      = 100 * time.Millisecond
	roundTimeout = 15 * time.Minute
)

// round has one contender fill a new database, and checks its rows.
func (t *loaderComparison) round(ctx context.Context, c *loaderContender) (v measure.Values, err error) {
	t.rounds++
	database := fmt.Sprintf("round_%d", t.rounds)
	dir := filepath.Join(t.dir, "clickhouse")
	if t.clickhouse, err = measure.StartClickHouse(ctx, dir, loaderProfile, nil); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.clickhouse.Stop()) }()
	if err = t.migrate(ctx, database); err != nil {
		return nil, err
	}
	table := &baselines.Table{
		Place: baselines.Place{
			Bin: t.Bin, Cache: t.Cache, Dir: filepath.Join(t.dir, database), Broker: t.broker.Addr, Topic: t.topic,
		},
		ClickHouse: t.clickhouse, Database: database, Partitions: t.Partitions, Traffic: t.messages, Events: t.Events,
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

// load measures how the table is filled. Preparation before Begin does not count.
func (t *loaderComparison) load(
	ctx context.Context,
	c *loaderContender,
	table *baselines.Table,
) (measure.Values, error) {
	loading, err := c.start(ctx, table)
	if err != nil {
		return nil, err
	}
	defer loading.Stop()
	before, err := usageOf(loading)
	if err != nil {
		return nil, err
	}
	m := meter{processes: map[string]int{storePerMillion: t.clickhouse.Pid(), brokerPerMillion: t.broker.Pid()}}
	measure.ResetPeak(t.clickhouse.Pid())
	m.begin()
	w := &rowWatch{comparison: t, table: table, loading: loading, begin: time.Now()}
	if err := loading.Begin(ctx); err != nil {
		return nil, err
	}
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	m.end()
	after, err := usageOf(loading)
	if err != nil {
		return nil, err
	}
	store, err := t.clickhouse.Usage()
	if err != nil {
		return nil, err
	}
	v := m.perEvent(t.Events) // microseconds per event are seconds per million
	v[loaderPerMillion] = micros(after.CPU-before.CPU, t.Events)
	v[bothPerMillion] = v[loaderPerMillion] + v[storePerMillion]
	v[loaderMiB], v[storeMiB] = mib(after.PeakBytes), mib(store.PeakBytes)
	v[eventsPerSecond], v[firstSeconds] = w.rate(), w.first.Sub(w.begin).Seconds()
	left, err := t.clickhouse.Count(ctx, table.Database,
		"SELECT count() FROM system.parts WHERE active AND table = 'events' AND database = currentDatabase()")
	v[partsLeft] = float64(left)
	return v, err
}

func usageOf(l *baselines.Loading) (measure.Usage, error) {
	if l.Process == nil {
		return measure.Usage{}, nil
	}
	return l.Process.Usage()
}

// rowWatch counts the rows of a table until all events are stored.
type rowWatch struct {
	comparison *loaderComparison
	table      *baselines.Table
	loading    *baselines.Loading

	begin, first, last time.Time // the start, and the polls that saw the first rows and all rows
	firstRows          int       // rows at the first poll that saw any
}

// rate is rows per second after the first rows. One-time work, such as starting a Java machine and joining the group,
// is in the seconds before them.
func (w *rowWatch) rate() float64 {
	events := w.comparison.Events
	if w.firstRows >= events { // a single poll saw all rows
		return float64(events) / w.last.Sub(w.begin).Seconds()
	}
	return float64(events-w.firstRows) / w.last.Sub(w.first).Seconds()
}

// wait returns when all events are stored. The number of rows may include duplicates, so it checks the distinct ids.
func (w *rowWatch) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	events := w.comparison.Events
	for {
		ended := w.ended() // read before the count, which then includes all that the process stored
		n, err := w.count(ctx, "SELECT count() FROM events")
		if err != nil {
			return err
		}
		now := time.Now()
		if n > 0 && w.first.IsZero() {
			w.first, w.firstRows = now, n
		}
		if n >= events {
			if n, err = w.count(ctx, "SELECT uniqExact(insert_id) FROM events"); err != nil {
				return err
			}
			if w.last = now; n >= events {
				return nil
			}
		}
		if ended {
			return fmt.Errorf(
				"the loader has ended with %d of %d events stored; its log is in %s",
				n,
				events,
				w.table.Dir,
			)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d events are stored: %w", n, events, ctx.Err())
		case <-time.After(rowPoll):
		}
	}
}

func (w *rowWatch) ended() bool {
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

func (w *rowWatch) count(ctx context.Context, query string) (int, error) {
	return w.comparison.clickhouse.Count(ctx, w.table.Database, query)
}

// checksum covers the columns that depend on the message. Of properties it takes only whether there are any: ours are
// the message's bytes, and those of SQL are parsed and serialized.
const checksum = `SELECT sum(cityHash64(workspace_id, product_id, connection_id, source, insert_id, message_type,
	event_type, ifNull(source_event, '-'), event_at, event_at_source, event_key_at, received_at,
	ifNull(external_user_id, '-'), ifNull(user_email, '-'), ifNull(user_name, '-'),
	ifNull(external_organization_id, '-'), ifNull(organization_name, '-'), ifNull(external_conversation_id, '-'),
	influence, ifNull(quality_impact_score, -2), ifNull(value, -1), ifNull(toString(value_type), '-'), currency,
	length(properties) > 2, version)) FROM events`

// check compares the rows with those of the first contender.
func (t *loaderComparison) check(ctx context.Context, c *loaderContender, table *baselines.Table) error {
	sum, err := t.clickhouse.SQL(ctx, table.Database, checksum)
	if err != nil || !c.maps {
		return err
	}
	if t.checksum == "" {
		t.checksum = sum
	}
	if t.checksum != sum {
		return fmt.Errorf("the rows of %s differ from those of the contenders before", c.name)
	}
	return nil
}
