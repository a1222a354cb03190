package loader

import (
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/warehouse"
)

// BenchmarkMillions takes events through loaders that do not attribute and that do, in a workspace of ten million users
// whom ClickHouse knows: events of 100,000 of them, from an empty cache and with all of these in it, and events that are
// each of another. It also asks for users without a loader, to show what that reads. Memory is the most that a loader
// in a process of its own, and ClickHouse, have had.
func BenchmarkMillions(b *testing.B) {
	const millions, events = 10_000_000, 400_000
	few := newWorld(b, 8)
	few.users, few.of = 100_000, millions
	few.settle(b, millions)
	many := newWorld(b, 8)
	many.users, many.of, many.db, many.config.Warehouse.Database = events, millions, few.db, few.db.Name
	for _, w := range []*world{few, many} {
		w.config.Warehouse.Compression, w.config.BlockLinger = "none", time.Second
		w.produce(b, 0, events, 50)
	}
	b.Run("look-up", func(b *testing.B) { many.lookUp(b, 40_000) })
	var known *attribution.Identities
	for range 3 { // in turns, so that what else the machine does meets all of them
		b.Run("100k/off", func(b *testing.B) { few.takeIn(b, events, false, nil) })
		b.Run("100k/stored", func(b *testing.B) { known = few.takeIn(b, events, true, nil) })
		b.Run("100k/warm", func(b *testing.B) { few.takeIn(b, events, true, known) })
		b.Run("10M/off", func(b *testing.B) { many.takeIn(b, events, false, nil) })
		b.Run("10M/stored", func(b *testing.B) { many.takeIn(b, events, true, nil) })
	}
	b.Run("10M/memory", func(b *testing.B) { many.peak(b) })
}

// settle makes users by what loaders would have written of them.
func (w *world) settle(b *testing.B, users int) {
	const atOnce = 1_000_000
	namespace := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/millrace/millrace"))
	start := time.Now()
	for from := 0; from < users; from += atOnce {
		w.db.Exec(b, fmt.Sprintf(`INSERT INTO user_claims (workspace_id, external_user_id, email, user_id, explicit_first, event_first, name_first, name_last, organization_last, properties_last, email_last, writer, written_at)
			WITH 'user_' || toString(number) AS name, SHA1(unhex('%s') || 'user' || unhex('0001') || 'w' || name) AS h, lower(hex(h)) AS x,
				substring('89ab', 1 + bitAnd(bitShiftRight(reinterpretAsUInt8(substring(h, 9, 1)), 4), 3), 1) AS variant
			SELECT 'w', name, 'ada' || toString(number) || '@example.com',
				toUUID(substring(x, 1, 8) || '-' || substring(x, 9, 4) || '-5' || substring(x, 14, 3) || '-' || variant || substring(x, 18, 3) || '-' || substring(x, 21, 12)),
				(1, 'identify'), (1, 'segment'), (1, 'Ada Lovelace'), (1, 'Ada Lovelace'), (-9223372036854775808, ''), (1, '{}'), 1, 1, now64(6) - INTERVAL 1 DAY
			FROM numbers(%d, %d)`, hex.EncodeToString(namespace[:]), from, atOnce))
	}
	u7919 := attribution.UserID([]byte("w"), []byte("user_7919"))
	require.Equal(b, u7919.String(), w.db.Exec(b, "SELECT user_id FROM user_claims WHERE workspace_id = 'w' AND external_user_id = 'user_7919'"))
	b.Logf("%d users written in %s, by id %s and by address %s on disk", users, time.Since(start).Round(time.Second), w.onDisk(b, "user_claims"), w.onDisk(b, "user_claims_by_email"))
}

func (w *world) onDisk(b *testing.B, table string) string {
	return w.db.Exec(b, "SELECT formatReadableSize(sum(bytes_on_disk)) FROM system.parts WHERE active AND database = currentDatabase() AND table = '"+table+"'")
}

// lookUp asks for users as a loader does whose cache has none of a block's.
func (w *world) lookUp(b *testing.B, users int) {
	lookup, err := warehouse.NewLookup(w.config.Warehouse)
	require.NoError(b, err)
	defer lookup.Close()
	var persons []attribution.Name
	for i := range users {
		persons = append(persons, attribution.Name{Workspace: []byte("w"), Name: fmt.Appendf(nil, "user_%d", w.user(i))})
	}
	before := w.counted(b, "SelectedRows")
	for b.Loop() {
		claims, holdings, err := lookup.Identities(b.Context(), persons, nil)
		require.NoError(b, err)
		require.Len(b, claims, users)
		require.Len(b, holdings, users)
	}
	b.ReportMetric((w.counted(b, "SelectedRows")-before)/float64(b.N*users), "rows-read/user")
}

// counted is one of ClickHouse's own counters.
func (w *world) counted(b *testing.B, event string) float64 {
	n, err := strconv.ParseFloat("0"+w.db.Exec(b, "SELECT value FROM system.events WHERE event = '"+event+"'"), 64)
	require.NoError(b, err)
	return n
}

// takeIn takes the backlog through a loader, again and again.
func (w *world) takeIn(b *testing.B, events int, attribute bool, identities *attribution.Identities) (known *attribution.Identities) {
	for b.Loop() {
		w.config.Consumer.Group = "bench-" + time.Now().String()
		w.config.Attribution = attribute
		loader := w.prepare(b)
		w.uptodate(b, loader.attributor.lookup)
		if identities != nil {
			loader.attributor.identities = identities
		}
		read, before := w.counted(b, "SelectedRows"), loader.attributor.identities.Stats()
		loader.start(b)
		eventually(b, func() bool {
			time.Sleep(20 * time.Millisecond)
			return loader.value(b, "millrace_loader_records_committed_total", "") == float64(events)
		}, "all is loaded")
		b.StopTimer()
		b.ReportMetric((w.counted(b, "SelectedRows")-read)/float64(events), "rows-read/event")
		if known = loader.attributor.identities; attribute {
			hits, misses := known.Stats().Hits-before.Hits, known.Stats().Misses-before.Misses
			b.ReportMetric(100*float64(hits)/float64(hits+misses), "%hits")
		}
		loader.stop(b)
		w.db.Exec(b, "TRUNCATE TABLE events")
		b.StartTimer()
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
	return known
}

// uptodate has the group's loaders go on where all that is written of the users is worked in, or they would begin with
// ten million news.
func (w *world) uptodate(b *testing.B, lookup *warehouse.Lookup) {
	require.NoError(b, lookup.SaveProgress(b.Context(), w.config.Consumer.Group, []int32{0, 1, 2, 3, 4, 5, 6, 7}, time.Now()))
}

// peak takes the backlog through a loader in a process of its own.
func (w *world) peak(b *testing.B) {
	for b.Loop() {
		require.NoError(b, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", w.db.Pid()), []byte("5"), 0)) // forget the peak
		w.config.Consumer.Group = "bench-" + time.Now().String()
		w.config.Attribution = true
		lookup, err := warehouse.NewLookup(w.config.Warehouse)
		require.NoError(b, err)
		w.uptodate(b, lookup)
		lookup.Close()
		child := w.child(b)
		loader := 0.0
		for w.lag(b) > 0 {
			loader = peakMiB(b, child.Process.Pid)
			time.Sleep(200 * time.Millisecond)
		}
		b.ReportMetric(loader, "loader-MiB")
		b.ReportMetric(peakMiB(b, w.db.Pid()), "clickhouse-MiB")
		require.NoError(b, child.Process.Kill())
	}
}
