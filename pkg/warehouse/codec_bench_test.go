package warehouse

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/schemas"
)

// BenchmarkCodecs is how the codecs of events were chosen: what each choice costs an insert and the disk.
func BenchmarkCodecs(b *testing.B) {
	ddl, err := schemas.Migrations.ReadFile("migrations/00001_events.sql")
	require.NoError(b, err)
	create, _, _ := strings.Cut(string(ddl), "-- +goose Down")
	codec := regexp.MustCompile(`CODEC\((Delta\(8\), )?ZSTD\(1\)\)`)
	for _, choice := range []struct{ name, with string }{
		{"as-chosen", "$0"},
		{"lz4", ""},
		{"delta-lz4", "CODEC(${1}LZ4)"},
		{"zstd1-without-delta", "CODEC(ZSTD(1))"},
		{"zstd3", "CODEC(${1}ZSTD(3))"},
	} {
		b.Run(choice.name, func(b *testing.B) {
			db, config := migrated(b)
			db.Exec(b, "DROP TABLE events")
			db.Exec(b, codec.ReplaceAllString(create, choice.with))
			inserter, err := NewInserter(config)
			require.NoError(b, err)
			defer inserter.Close()
			block := NewEvents()
			benchEvents(block.Append)
			b.ResetTimer()
			for n := 0; b.Loop(); n++ {
				require.NoError(b, inserter.Insert(b.Context(), block, fmt.Sprint(n)))
			}
			b.StopTimer()
			perSecond(b)
			size, err := strconv.ParseFloat(db.Exec(b, "SELECT sum(data_compressed_bytes) / sum(rows) FROM system.parts WHERE active AND table = 'events' AND database = currentDatabase()"), 64)
			require.NoError(b, err)
			b.ReportMetric(size, "bytes/row")
		})
	}
}
