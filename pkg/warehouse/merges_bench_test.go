package warehouse

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/mapping"
)

// BenchmarkMerges is how merge_selector_base was chosen: what events in small blocks cost ClickHouse in processor time, merges and all,
// and what a query with FINAL of all of them costs then.
func BenchmarkMerges(b *testing.B) {
	const rows, products, sets = 7500, 8, 64
	for _, base := range []int{5, 10, 20} {
		b.Run(fmt.Sprintf("base-%d", base), func(b *testing.B) {
			db, config := migrated(b)
			db.Exec(b, fmt.Sprintf("ALTER TABLE events MODIFY SETTING merge_selector_base = %d", base))
			inserter, err := NewInserter(config)
			require.NoError(b, err)
			defer inserter.Close()
			used := func() float64 {
				process, err := procfs.NewProc(db.Pid())
				require.NoError(b, err)
				stat, err := process.Stat()
				require.NoError(b, err)
				return stat.CPUTime()
			}
			for b.Loop() {
				db.Exec(b, "TRUNCATE TABLE events")
				before, n, block := used(), 0, NewEvents()
				for set := range sets {
					benchEvents(func(e *mapping.Event, o *Origin) {
						event, of := *e, *o
						event.EventAt += int64(set) * 1_000_000
						of.Product = fmt.Appendf(nil, "product-%d", n/rows%products)
						block.Append(&event, &of)
						if n++; n%rows == 0 {
							require.NoError(b, inserter.Insert(b.Context(), block, fmt.Sprint(b.Name(), n)))
							block.Reset()
						}
					})
				}
				for db.Exec(b, "SELECT count() FROM system.merges WHERE database = currentDatabase()") != "0" {
					time.Sleep(100 * time.Millisecond)
				}
				after := used()
				db.Exec(b, "SELECT influence, count(), uniq(external_user_id), sum(value) FROM events FINAL GROUP BY influence")
				b.ReportMetric((after-before)*1e6/float64(n), "cpu-µs/row")
				b.ReportMetric((used()-after)*1e3, "final-cpu-ms")
			}
		})
	}
}
