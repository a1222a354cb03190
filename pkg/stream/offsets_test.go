package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestSpans(t *testing.T) {
	_, c := started(t)
	ingest := c.Topics().Ingest
	noon := time.Now().Add(-time.Hour).Truncate(time.Second) // retention goes by it, so it must not be long ago
	kafka := foreign(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 10 {
		r := &kgo.Record{Topic: ingest, Partition: int32(i % 2), Timestamp: noon.Add(time.Duration(i) * time.Minute)}
		require.NoError(t, kafka.ProduceSync(t.Context(), r).FirstErr())
	}
	span := func(id int32, from, until int64) OffsetRange { return OffsetRange{Partition{ingest, id}, from, until} }
	from := func(id int32, offset int64) Position { return Position{Partition{ingest, id}, offset} }
	for name, row := range map[string]struct {
		reach ReplayRange
		want  []OffsetRange
		err   string
	}{
		"all":                        {ReplayRange{Topics: []string{ingest}}, []OffsetRange{span(0, 0, 5), span(1, 0, 5)}, ""},
		"both topics, of one empty":  {ReplayRange{Topics: []string{ingest, c.Topics().DeadLetters}}, []OffsetRange{span(0, 0, 5), span(1, 0, 5)}, ""},
		"from a time on":             {ReplayRange{Topics: []string{ingest}, From: noon.Add(5 * time.Minute)}, []OffsetRange{span(0, 3, 5), span(1, 2, 5)}, ""},
		"up to a time":               {ReplayRange{Topics: []string{ingest}, Until: noon.Add(3 * time.Minute)}, []OffsetRange{span(0, 0, 2), span(1, 0, 1)}, ""},
		"between":                    {ReplayRange{Topics: []string{ingest}, From: noon.Add(8 * time.Minute), Until: noon.Add(9 * time.Minute)}, []OffsetRange{span(0, 4, 5)}, ""},
		"after all":                  {ReplayRange{Topics: []string{ingest}, From: noon.Add(time.Hour)}, nil, ""},
		"from places on":             {ReplayRange{Offsets: []Position{from(1, 4), from(0, 0)}}, []OffsetRange{span(0, 0, 5), span(1, 4, 5)}, ""},
		"from the end":               {ReplayRange{Offsets: []Position{from(1, 5)}}, nil, ""},
		"from behind the end":        {ReplayRange{Offsets: []Position{from(1, 6)}}, nil, "no offset 6"},
		"from behind the time":       {ReplayRange{Offsets: []Position{from(0, 4), from(1, 0)}, Until: noon.Add(3 * time.Minute)}, []OffsetRange{span(1, 0, 1)}, ""},
		"no such partition":          {ReplayRange{Offsets: []Position{from(4, 0)}}, nil, "those from 0 to 3"},
		"named twice":                {ReplayRange{Offsets: []Position{from(1, 0), from(1, 2)}}, nil, "named twice"},
		"no such topic":              {ReplayRange{Topics: []string{"nothing"}}, nil, "UNKNOWN_TOPIC"},
		"no such topic, from a time": {ReplayRange{Topics: []string{"nothing"}, From: noon}, nil, "UNKNOWN_TOPIC"},
	} {
		spans, err := c.OffsetRanges(t.Context(), &row.reach)
		if row.err != "" {
			require.ErrorContains(t, err, row.err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, row.want, spans, name)
	}
	var deleted kadm.Offsets
	deleted.AddOffset(ingest, 1, 3, -1)
	_, err := c.admin.DeleteRecords(t.Context(), deleted)
	require.NoError(t, err)
	_, err = c.OffsetRanges(t.Context(), &ReplayRange{Offsets: []Position{from(1, 2)}})
	require.ErrorContains(t, err, "the least that can be asked for is 1:3")
}
