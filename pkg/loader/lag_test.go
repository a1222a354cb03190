package loader

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/stream"
)

func TestLag_FetchesAndCommits(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	batch := func(first, n int, end int64, written time.Time) *stream.Batch {
		var records []*kgo.Record
		for i := range n {
			records = append(records, &kgo.Record{Offset: int64(first + i), Timestamp: written.Add(time.Duration(i) * time.Millisecond)})
		}
		return stream.NewBatch(stream.Partition{Topic: "t"}, end, records)
	}
	var g lag
	expect := func(records int64, age time.Duration) {
		t.Helper()
		gotRecords, gotAge, known := g.at(start.Add(time.Minute))
		require.True(t, known)
		require.Equal(t, records, gotRecords)
		require.Equal(t, age, gotAge)
	}
	_, _, known := g.at(start)
	require.False(t, known)
	g.fetched(batch(100, 10, 150, start))
	expect(50, time.Minute)
	g.fetched(batch(110, 40, 160, start.Add(20*time.Second)))
	expect(60, time.Minute)
	g.committed(109) // a record of the first batch is left
	expect(51, time.Minute)
	g.committed(110)
	expect(50, 40*time.Second)
	g.committed(150) // records beyond it were not fetched yet
	expect(10, 0)
	g.fetched(batch(150, 10, 160, start.Add(2*time.Minute))) // a clock that is ahead
	expect(10, 0)
	g.committed(160)
	expect(0, 0)
}
