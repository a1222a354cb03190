package warehouse

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/schemas"
	"github.com/millrace/millrace/test/env"
)

// BenchmarkCodecs is how the codecs of events and the form of its new parts were chosen: what each choice costs an insert,
// in time and in ClickHouse's processor time, and the disk. Merges are left out.
func BenchmarkCodecs(b *testing.B) {
	files, err := schemas.Migrations(schemas.For{})
	require.NoError(b, err)
	ddl, err := fs.ReadFile(files, "00001_events.sql")
	require.NoError(b, err)
	create, _, _ := strings.Cut(string(ddl), "-- +goose Down")
	ddl, err = fs.ReadFile(files, "00007_new_parts.sql")
	require.NoError(b, err)
	_, compact, _ := strings.Cut(string(ddl), "-- +goose Up")
	compact, _, _ = strings.Cut(compact, "-- +goose Down")
	codec := regexp.MustCompile(`CODEC\((Delta\(8\), )?ZSTD\(1\)\)`)
	for _, choice := range []struct {
		name, with string
		wide       bool
	}{
		{"as-chosen", "$0", false},
		{"wide-parts", "$0", true},
		{"lz4", "", false},
		{"delta-lz4", "CODEC(${1}LZ4)", false},
		{"zstd1-without-delta", "CODEC(ZSTD(1))", false},
		{"zstd3", "CODEC(${1}ZSTD(3))", false},
	} {
		b.Run(choice.name, func(b *testing.B) {
			db, config := migrated(b)
			db.Exec(b, "DROP TABLE events")
			db.Exec(b, codec.ReplaceAllString(create, choice.with))
			if !choice.wide {
				db.Exec(b, strings.TrimSpace(compact))
			}
			db.Exec(b, "SYSTEM STOP MERGES events")
			inserter, err := NewInserter(config)
			require.NoError(b, err)
			defer inserter.Close()
			block := NewEvents()
			benchEvents(block.Append)
			before := processorTime(b, db)
			b.ResetTimer()
			for n := 0; b.Loop(); n++ {
				require.NoError(b, inserter.Insert(b.Context(), block, fmt.Sprint(n)))
			}
			b.StopTimer()
			perSecond(b)
			b.ReportMetric(float64(processorTime(b, db)-before)/float64(b.N*block.Rows()), "ch-cpu-µs/row")
			size, err := strconv.ParseFloat(db.Exec(b, "SELECT sum(data_compressed_bytes) / sum(rows) FROM system.parts WHERE active AND table = 'events' AND database = currentDatabase()"), 64)
			require.NoError(b, err)
			b.ReportMetric(size, "bytes/row")
		})
	}
}

// processorTime is what ClickHouse has used for queries, in microseconds.
func processorTime(b *testing.B, db env.Database) int {
	used, err := strconv.Atoi(db.Exec(b, "SELECT value FROM system.events WHERE event = 'OSCPUVirtualTimeMicroseconds'"))
	require.NoError(b, err)
	return used
}
