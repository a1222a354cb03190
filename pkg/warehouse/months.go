package warehouse

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/millrace/millrace/pkg/column"
)

// maxMonthsPerInsert bounds the partitions of a table that one insert writes to. Each is at least one part, and its
// cost does not depend on the number of its rows: senders choose their timestamps, so without a bound one small batch
// could take as long as thousands of inserts.
const maxMonthsPerInsert = 12

// partitionTimes are the columns by whose month a table is partitioned, in Unix milliseconds.
var partitionTimes = map[string]string{
	"events":                "event_key_at",
	"conversation_activity": "activity_at",
	"dead_letters":          "received_at",
}

// monthOf numbers the months.
func monthOf(milliseconds int64) int {
	t := time.UnixMilli(milliseconds).UTC()
	return 12*t.Year() + int(t.Month())
}

// safeSpan is so short that it touches no more than maxMonthsPerInsert months.
const safeSpan = (maxMonthsPerInsert - 1) * 28 * 24 * int64(time.Hour/time.Millisecond)

// groupByMonth distributes n rows over groups of at most maxMonthsPerInsert months. It returns the group of each row
// and the number of groups, or nil and 1 if all rows are in one group. The result depends on the times alone.
func groupByMonth(n int, at func(row int) int64) (group []int, groups int) {
	earliest, latest := int64(math.MaxInt64), int64(math.MinInt64)
	for row := range n {
		earliest, latest = min(earliest, at(row)), max(latest, at(row))
	}
	if n == 0 || uint64(latest-earliest) <= uint64(safeSpan) { // as unsigned, an overflow is a long span
		return nil, 1
	}
	numbers := map[int]int{}
	for row := range n {
		numbers[monthOf(at(row))] = 0
	}
	if len(numbers) <= maxMonthsPerInsert {
		return nil, 1
	}
	for i, month := range slices.Sorted(maps.Keys(numbers)) {
		numbers[month] = i / maxMonthsPerInsert
		groups = numbers[month] + 1
	}
	group = make([]int, n)
	for row := range n {
		group[row] = numbers[monthOf(at(row))]
	}
	return group, groups
}

// splitByMonth returns the block, or several blocks of its rows that are each of at most maxMonthsPerInsert months.
func (b *block) splitByMonth() []*block {
	index := slices.Index(b.names, partitionTimes[b.table])
	if index < 0 {
		return []*block{b}
	}
	times := b.columns[index].(*column.Fixed)
	group, groups := groupByMonth(b.Rows(), times.Int64)
	if groups == 1 {
		return []*block{b}
	}
	return b.partition(0, group, groups)
}

// EventsByMonth splits a list into lists that ReviseEvents can write with one insert each.
func EventsByMonth(list []StoredEvent) [][]StoredEvent {
	return listsByMonth(list, func(e *StoredEvent) int64 { return e.KeyAt })
}

// ActivitiesByMonth splits a list into lists that ReviseActivities can write with one insert each.
func ActivitiesByMonth(list []StoredActivity) [][]StoredActivity {
	return listsByMonth(list, func(a *StoredActivity) int64 { return a.At })
}

func listsByMonth[T any](list []T, at func(*T) int64) [][]T {
	group, groups := groupByMonth(len(list), func(i int) int64 { return at(&list[i]) })
	if groups == 1 {
		return [][]T{list}
	}
	lists := make([][]T, groups)
	for i := range list {
		lists[group[i]] = append(lists[group[i]], list[i])
	}
	return lists
}
