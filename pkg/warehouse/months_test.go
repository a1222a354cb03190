package warehouse

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/mapping"
)

func month(n int) int64 {
	return time.Date(2000, time.Month(1+n), 28, 12, 0, 0, 0, time.UTC).UnixMilli()
}

func TestGroupByMonth(t *testing.T) {
	for name, row := range map[string]struct {
		times  []int64
		groups int
	}{
		"no rows":                    {nil, 1},
		"one row":                    {[]int64{5}, 1},
		"twelve months":              {months(12), 1},
		"thirteen months":            {months(13), 2},
		"two distant months":         {[]int64{month(0), month(300)}, 1},
		"the whole credible time":    {months(324), 27},
		"each month twice, unsorted": {append(months(24), months(24)...), 2},
		"every representable time":   {append(months(12), math.MinInt64, math.MaxInt64), 2},
	} {
		t.Run(name, func(t *testing.T) {
			group, groups := groupByMonth(len(row.times), func(i int) int64 { return row.times[i] })
			require.Equal(t, row.groups, groups)
			require.Equal(t, row.groups > 1, group != nil)
			distinct := map[int]map[int]bool{}
			groupOf := map[int]int{}
			for i, g := range group {
				if distinct[g] == nil {
					distinct[g] = map[int]bool{}
				}
				distinct[g][monthOf(row.times[i])] = true
				require.LessOrEqual(t, len(distinct[g]), maxMonthsPerInsert)
				before, seen := groupOf[monthOf(row.times[i])]
				require.True(t, !seen || before == g, "a month is in one group")
				groupOf[monthOf(row.times[i])] = g
			}
		})
	}
}

func months(n int) (times []int64) {
	for i := range n {
		times = append(times, month(i))
	}
	return times
}

// The setting max_partitions_per_insert_block has ClickHouse refuse an insert of more months.
func TestInsert_RowsOf324Months_AreStoredInSeveralInserts(t *testing.T) {
	db, config := migrated(t)
	b := NewEvents()
	for i, at := range months(324) {
		e, o := full, origin
		e.InsertID, e.EventAt, e.EventAtSource = fmt.Appendf(nil, "segment:%d", i), at, mapping.FromTimestamp
		o.Offset = int64(i)
		b.Append(&e, &o)
	}
	inserter, err := NewInserter(config)
	require.NoError(t, err)
	defer inserter.Close()
	var offsets []int64
	for range 2 { // the second insert is recognised by the tokens
		offsets = nil
		parts, err := inserter.Split(t.Context(), b)
		require.NoError(t, err)
		require.Len(t, parts, 27)
		for _, part := range parts {
			require.NoError(t, inserter.Insert(t.Context(), part, "token"))
			for row := range part.Rows() {
				offsets = append(offsets, part.Offset(row))
			}
		}
	}
	slices.Sort(offsets)
	require.Len(t, slices.Compact(offsets), 324)
	require.Equal(t, "324\t324", db.Exec(t, "SELECT count(), uniqExact(toYYYYMM(event_key_at)) FROM events"))
	insert(t, config, b, "as a whole")
	require.Equal(t, "648", db.Exec(t, "SELECT count() FROM events"))
}

func TestInsert_ActivitiesOf324Months_AreStoredAndRevised(t *testing.T) {
	db, config := migrated(t)
	l, err := NewLookup(config)
	require.NoError(t, err)
	defer l.Close()
	b := NewActivities(testWriter)
	var list []StoredActivity
	for _, at := range months(324) {
		a := Activity{
			Workspace: []byte("w"), Product: []byte("p"), ExternalConversationID: []byte("c"), ExternalUserID: []byte("u"),
			At: at, Properties: []byte("{}"), Version: 1,
		}
		b.Append(&a)
		list = append(list, StoredActivity{
			Product: "p", Conversation: "c", At: at, ExternalUserID: "u", Version: 1,
			UserID: userOf("p", "u").User,
		})
	}
	insertRows(t, l, b)
	require.Equal(t, "324", db.Exec(t, "SELECT count() FROM conversation_activity"))
	lists := ActivitiesByMonth(list)
	require.Len(t, lists, 27)
	for _, some := range lists {
		require.NoError(t, l.ReviseActivities(t.Context(), some, leased(t, l), testWriter))
	}
	require.Equal(t, "324", db.Exec(t, "SELECT countIf(user_id IS NOT NULL) FROM conversation_activity FINAL"))
}
