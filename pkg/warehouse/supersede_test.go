package warehouse

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func revised(revision, delivery uint64) uint64 { return revision<<versionBits | delivery }

func TestSupersede(t *testing.T) {
	const last = 1<<(64-versionBits) - 1
	for name, row := range map[string]struct {
		version, stored uint64
		own             bool
		want            uint64
	}{
		"the same delivery":                      {revised(0, 7), revised(0, 7), false, revised(revisionsAhead, 7)},
		"the same, re-attributed":                {revised(0, 7), revised(3, 7), false, revised(3+revisionsAhead, 7)},
		"an earlier delivery than the stored":    {revised(0, 8), revised(3, 7), false, revised(3+revisionsAhead, 8)},
		"a later one, which does not count":      {revised(0, 6), revised(3, 7), false, revised(0, 6)},
		"what the record itself has made":        {revised(0, 7), revised(9, 7), true, revised(9, 7)},
		"one that was asked about before":        {revised(5, 7), revised(3, 7), false, revised(3+revisionsAhead, 7)},
		"the last revision but one":              {revised(0, 7), revised(last-1, 7), false, revised(last, 7)},
		"the last: the one inserted last counts": {revised(0, 7), revised(last, 7), false, revised(last, 7)},
		"the earliest delivery of all":           {revised(0, 1<<versionBits-1), math.MaxUint64, false, math.MaxUint64},
	} {
		require.Equal(t, row.want, supersedingVersion(row.version, row.stored, row.own), name)
	}
}

func rowsOf(offset int64, ids ...string) *Events {
	b := NewEvents()
	for i, id := range ids {
		e, o := plain, origin
		e.InsertID = []byte(id)
		e.EventAt += int64(i) * 40 * 24 * int64(time.Hour/time.Millisecond) // each in another month
		o.Offset = offset + int64(i)
		b.Append(&e, &o)
	}
	return b
}

func TestSupersede_RebuiltBlock_IsTheSame(t *testing.T) {
	db, config := migrated(t)
	db.Exec(t, "SYSTEM STOP MERGES events")
	lookup, err := NewLookup(config)
	require.NoError(t, err)
	defer lookup.Close()
	replay := func(offset int64, want []bool) *Events {
		b := rowsOf(offset, "a", "new", "b")
		stored, err := lookup.Supersede(t.Context(), b, origin.Topic, origin.Partition)
		require.NoError(t, err)
		require.Equal(t, want, stored)
		return b
	}
	insert(t, config, rowsOf(0, "a", "x", "b"), "first")
	b := replay(10, []bool{true, false, true})
	fresh, ahead := Version(origin.ReceivedAt), Version(origin.ReceivedAt)+revisionsAhead<<versionBits
	for row, want := range []uint64{ahead, fresh, ahead} {
		require.Equal(t, int64(want), b.version.Int64(row))
	}
	insert(t, config, b, "replay")
	again := replay(10, []bool{true, true, true})
	require.Equal(t, b.Checksum(), again.Checksum(), "so that the token is the same")
	insert(t, config, again, "replay")
	require.Equal(t, "6", db.Exec(t, "SELECT count() FROM events"))

	other := replay(20, []bool{true, true, true})
	require.Equal(t, int64(ahead+revisionsAhead<<versionBits), other.version.Int64(0))
	require.Equal(t, int64(ahead), other.version.Int64(1))
	elsewhere := rowsOf(10, "a")
	_, err = lookup.Supersede(t.Context(), elsewhere, "another.topic", origin.Partition)
	require.NoError(t, err)
	require.Equal(t, int64(ahead+revisionsAhead<<versionBits), elsewhere.version.Int64(0), "the same offset of another topic is another record")
}

// BenchmarkSupersede is a replayed block of 100,000 rows in a table of two million.
func BenchmarkSupersede(b *testing.B) {
	const rows, product = 100_000, "p"
	db, config := migrated(b)
	db.Exec(b, fmt.Sprintf(`INSERT INTO events (product_id, insert_id, message_type, event_at_source, influence, event_key_at, version)
		SELECT '%s', 'segment:' || toString(number), 'track', 'timestamp', 'neutral', fromUnixTimestamp64Milli(1779105600000 + toInt64(number) * 1000), 1 FROM numbers(2000000)`, product))
	lookup, err := NewLookup(config)
	require.NoError(b, err)
	defer lookup.Close()
	block := NewEvents()
	for i := range int64(rows) {
		e := plain
		e.InsertID = fmt.Appendf(nil, "segment:%d", 500_000+i)
		e.EventAt = 1779105600000 + (500_000+i)*1000
		block.Append(&e, &origin)
	}
	b.ReportAllocs()
	for b.Loop() {
		stored, err := lookup.Supersede(b.Context(), block, origin.Topic, origin.Partition)
		require.NoError(b, err)
		require.True(b, stored[0] && stored[rows-1])
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
}
