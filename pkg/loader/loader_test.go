package loader

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/stream"
)

func TestLoader_OneEvent_IsStored(t *testing.T) {
	w := newWorld(t, 8)
	loader := w.load(t)
	eventually(t, func() bool { return len(loader.health.Unmet()) == 0 }, "ready")
	w.produce(t, 0, 1, 1)
	sent := time.Now()
	eventually(t, func() bool { return w.rows(t) == "1" }, "the row is stored")
	t.Logf("freshness on an idle machine with a linger of %s: %s", w.config.BlockLinger, time.Since(sent))
	require.Equal(t, "w\tproduct-0\tc\tsegment\tOrder Completed\tuser_0\tada0@example.com\torg_0\tpositive\t0.5\tUSD",
		w.db.Exec(t, "SELECT workspace_id, product_id, connection_id, source, event_type, external_user_id, user_email, external_organization_id, influence, value, currency FROM outcomes"))
	w.caughtUp(t)
}

func TestLoader_ManyEvents_AreStoredOnce(t *testing.T) {
	const n = 100_000
	w := newWorld(t, 8)
	w.config.BlockLinger = 200 * time.Millisecond
	w.produce(t, 0, n, 50)
	loader := w.load(t)
	w.caughtUp(t)
	w.outcomes(t, n)
	require.Equal(t, fmt.Sprint(n), w.rows(t), "also without FINAL")
	require.Equal(t, "50", w.db.Exec(t, "SELECT uniqExact(product_id) FROM outcomes"))
	require.Equal(t, "0", w.db.Exec(t, "SELECT count() FROM (SELECT kafka_partition AS p, count() AS n, max(kafka_offset) AS last FROM events GROUP BY p) WHERE last + 1 != n"))

	require.Equal(t, float64(n), loader.value(t, "millrace_loader_rows_inserted_total", ""))
	require.Equal(t, float64(n), loader.value(t, "millrace_loader_records_committed_total", w.client.Topics().Ingest))
	require.Equal(t, float64(n), loader.value(t, "millrace_loader_committed_offset", w.client.Topics().Ingest))
	require.Zero(t, loader.value(t, "millrace_loader_lag_records", ""))
	require.Zero(t, loader.value(t, "millrace_loader_buffered_bytes", ""))
	require.Zero(t, loader.value(t, "millrace_loader_retries_total", ""))
	blocks := loader.value(t, "millrace_loader_blocks_inserted_total", "")
	require.NotZero(t, blocks)
	require.Equal(t, blocks, loader.value(t, "millrace_loader_insert_duration_seconds", ""))
	require.Equal(t, blocks, loader.value(t, "millrace_loader_freshness_seconds", ""))
	require.Equal(t, float64(len(stages))*blocks, loader.value(t, "millrace_loader_stage_duration_seconds", ""))
	require.Zero(t, loader.value(t, "millrace_loader_lag_seconds", ""))
	require.Equal(t, float64(8*2), loader.value(t, "millrace_loader_partitions_assigned", ""))
	loader.stop(t)
	require.Zero(t, loader.value(t, "millrace_loader_committed_offset", ""), "no gauge of a revoked partition")
}

func TestLoader_BlockOf300Months_IsStored(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	var records []*kgo.Record
	for month := range 300 {
		at := time.Date(2001, time.Month(1+month), 1, 0, 0, 0, 0, time.UTC)
		records = append(records, event(fmt.Sprintf(`{"type":"track","event":"E","messageId":"%d","timestamp":"%s"}`, month, at.Format(time.RFC3339))))
	}
	w.foreign(t, records...)
	w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 300)
	require.Equal(t, "300", w.db.Exec(t, "SELECT uniqExact(toYYYYMM(event_at)) FROM outcomes"))
}

// event makes a record with only the headers that another producer must write.
func event(value string, headers ...kgo.RecordHeader) *kgo.Record {
	return &kgo.Record{Key: []byte("p"), Value: []byte(value), Headers: append([]kgo.RecordHeader{
		{Key: "kind", Value: []byte("event")}, {Key: "provider", Value: []byte("segment")},
	}, headers...)}
}

func TestLoader_UnmappableMessages_BecomeDeadLetters(t *testing.T) {
	w := newWorld(t, 1)
	other := event(`{"type":"track","event":"E"}`)
	other.Headers[1].Value = []byte("mixpanel")
	long := event(`{}`)
	long.Headers[0].Value = bytes.Repeat([]byte("x"), 10_000)
	w.foreign(t,
		event(`{"type":"track","event":"E"`), event("{\"type\":\"track\",\"event\":\"\xff\"}"), event(`[]`), event(""),
		event(`{"type":"identify"}`), event(`{"type":"track","event":" "}`), event(`{"type":"page","properties":1}`),
		&kgo.Record{Value: []byte(`{"type":"track","event":"E"}`)}, other, long,
		event(`{"type":"track","event":"Good"}`),
	)
	loader := w.load(t)
	eventually(t, func() bool { return w.db.Exec(t, "SELECT count() FROM dead_letters") == "10" }, "all dead letters are stored")
	w.caughtUp(t)
	topic := w.client.Topics().Ingest
	require.Equal(t, "invalid_json\t{\"type\":\"track\",\"event\":\"E\"\t"+topic+"/0/0\n"+
		"invalid_utf8\t{\"type\":\"track\",\"event\":\"\xff\"}\t"+topic+"/0/1\n"+
		"not_a_message\t[]\t"+topic+"/0/2\n"+
		"not_a_message\t\t"+topic+"/0/3\n"+
		"ignored_type\t{\"type\":\"identify\"}\t"+topic+"/0/4\n"+
		"missing_event\t{\"type\":\"track\",\"event\":\" \"}\t"+topic+"/0/5\n"+
		"invalid_properties\t{\"type\":\"page\",\"properties\":1}\t"+topic+"/0/6\n"+
		"unknown_kind\t{\"type\":\"track\",\"event\":\"E\"}\t"+topic+"/0/7\n"+
		"unknown_kind\t{\"type\":\"track\",\"event\":\"E\"}\t"+topic+"/0/8\n"+
		"unknown_kind\t{}\t"+topic+"/0/9",
		w.db.Exec(t, "SELECT reason, message, origin FROM dead_letters ORDER BY kafka_offset"))
	require.Equal(t, `message cannot be mapped: kind "event" of provider "mixpanel" is not known`, w.db.Exec(t, "SELECT detail FROM dead_letters WHERE kafka_offset = 8"))
	require.Less(t, len(w.db.Exec(t, "SELECT detail FROM dead_letters WHERE kafka_offset = 9")), 200)
	require.Equal(t, "Good", w.db.Exec(t, "SELECT event_type FROM outcomes"), "the good message beside them is stored")
	require.Equal(t, float64(10), loader.value(t, "millrace_loader_dead_letters_total", ""))
	require.Equal(t, float64(3), loader.value(t, "millrace_loader_dead_letters_total", "unknown_kind"))
}

func TestLoader_EventsOfTheAPIAndOfSegment_AreStored(t *testing.T) {
	w := newWorld(t, 1)
	apiEvent := func(value string) *kgo.Record {
		r := event(value)
		r.Headers[1].Value = []byte("api")
		return r
	}
	w.foreign(t,
		apiEvent(`{"eventType":"Signed Up","insertId":"1","eventAt":"2026-05-18T12:00:00Z"}`), event(`{"type":"track","event":"E","messageId":"1"}`),
		apiEvent(`{"eventType":"E"}`), apiEvent(`{"eventType":"E","influence":5}`), apiEvent(`{"type":"track","event":"E"}`), event(`{"eventType":"E"}`),
	)
	loader := w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 3)
	require.Equal(t, "api\tapi:1\t1\tevent\tpositive\teventAt\nsegment\tsegment:1\t1\ttrack\tneutral\tedge",
		w.db.Exec(t, "SELECT source, insert_id, message_id, message_type, influence, event_at_source FROM outcomes WHERE message_id IS NOT NULL ORDER BY insert_id"))
	require.Equal(t, "1", w.db.Exec(t, "SELECT count() FROM outcomes WHERE insert_id LIKE 'api:sha256:%' AND message_id IS NULL"))
	eventually(t, func() bool { return w.db.Exec(t, "SELECT count() FROM dead_letters") == "3" }, "all dead letters are stored")
	require.Equal(t, "api\tinvalid_influence\napi\tmissing_event_type\nsegment\tnot_a_message", w.db.Exec(t, "SELECT source, reason FROM dead_letters ORDER BY reason"))
	require.Equal(t, float64(3), loader.value(t, "millrace_loader_dead_letters_total", ""))
}

func TestLoader_DeadLettersOfTheEdge_KeepEveryField(t *testing.T) {
	w := newWorld(t, 1)
	var config stream.ProducerConfig
	require.NoError(t, kong.ApplyDefaults(&config))
	p, err := w.client.NewProducer("edge", config)
	require.NoError(t, err)
	out := p.NewRequest(1, nil)
	source := stream.Source{Workspace: "w", Product: "p", Connection: "c", Provider: "segment"}
	out.AddDeadLetter(&source, 1779105600123456, []byte(`{"type":"track"}`), []byte(`{"ip":"::1"}`), &stream.DeadLetter{OriginalKind: stream.KindEvent, Reason: "missing_event", Detail: "why"})
	require.NoError(t, out.Send(t.Context()))
	require.NoError(t, p.Close(t.Context()))
	w.load(t)
	w.caughtUp(t)
	require.Equal(t, "w\tp\tc\tsegment\t2026-05-18 12:00:00.123\tmissing_event\twhy\t{\"type\":\"track\"}\t{\"ip\":\"::1\"}\t\tmillrace.dead-letters\t0\t0",
		w.db.Exec(t, "SELECT * FROM dead_letters"))
}

func TestLoader_RecordsOfOtherProducers_DoNotStopThePartition(t *testing.T) {
	w := newWorld(t, 1)
	var records []*kgo.Record
	for i, at := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64} {
		header := kgo.RecordHeader{Key: "received_at", Value: binary.BigEndian.AppendUint64(nil, uint64(at))}
		records = append(records, event(fmt.Sprintf(`{"type":"track","event":"E","messageId":"%d"}`, i), header),
			&kgo.Record{Topic: w.client.Topics().DeadLetters, Headers: []kgo.RecordHeader{header, {Key: "reason", Value: []byte("\xff\x00")}}})
	}
	records = append(records, &kgo.Record{Topic: w.client.Topics().DeadLetters})
	w.foreign(t, records...)
	w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 5)
	require.Equal(t, "6", w.db.Exec(t, "SELECT count() FROM dead_letters FINAL"))
}

func TestLoader_MalformedOverrides_AreCounted(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	w.foreign(t, event(`{"type":"track","event":"E","properties":{"gf_influence":"great","gf_value_type":"currency"}}`))
	loader := w.load(t)
	w.caughtUp(t)
	require.Equal(t, float64(1), loader.value(t, "millrace_loader_malformed_overrides_total", "gf_influence"))
}

func TestLoader_BlockLimits(t *testing.T) {
	kfakeOnly(t)
	const never, many = time.Hour, 1 << 30
	inMegabyte := 0
	for bytes := int64(0); bytes < 1<<20; inMegabyte++ {
		bytes += size(inMegabyte)
	}
	for name, row := range map[string]struct {
		rows, bytes int
		linger      time.Duration
		events      int
		blocks      int // inserted because of a limit
		inserted    int
	}{
		"rows, one below":  {100, many, never, 99, 0, 0},
		"rows, equal":      {100, many, never, 100, 1, 100},
		"rows, one above":  {100, many, never, 101, 1, 100},
		"rows, many times": {100, many, never, 1050, 10, 1000},
		"a row each":       {1, many, never, 3, 3, 3},
		"bytes, one below": {many, 1 << 20, never, inMegabyte - 1, 0, 0},
		"bytes, equal":     {many, 1 << 20, never, inMegabyte, 1, inMegabyte},
		"bytes, above":     {many, 1 << 20, never, inMegabyte + 10, 1, inMegabyte},
		"linger":           {many, many, time.Second, 7, 1, 7},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.config.BlockRows, w.config.BlockBytes, w.config.BlockLinger = row.rows, row.bytes, row.linger
			w.produce(t, 0, row.events, 1)
			loader := w.load(t)
			rest := sizes(row.inserted, row.events)
			eventually(t, func() bool {
				return int(loader.value(t, "millrace_loader_rows_inserted_total", "")) == row.inserted && loader.memory.bufferedBytes.Load() == rest
			}, "full blocks are inserted, other records are buffered")
			require.Equal(t, float64(row.blocks), loader.value(t, "millrace_loader_blocks_inserted_total", ""))
			loader.stop(t)
			require.Zero(t, w.lag(t), "a graceful stop inserts the present batch")
			w.outcomes(t, row.events)
		})
	}
}

func TestConfig_WrongValue_NamesTheFlag(t *testing.T) {
	var good Config
	require.NoError(t, kong.ApplyDefaults(&good))
	for want, change := range map[string]func(*Config){
		"--block-rows":          func(c *Config) { c.BlockRows = 0 },
		"--block-bytes":         func(c *Config) { c.BlockBytes = 1 },
		"--block-linger":        func(c *Config) { c.BlockLinger = 0 },
		"--max-partition-bytes": func(c *Config) { c.MaxPartitionBytes = 1 },
		"--max-buffered-bytes":  func(c *Config) { c.MaxBufferedBytes = c.MaxPartitionBytes - 1 },
		"--stop-timeout is":     func(c *Config) { c.StopTimeout = c.Consumer.SessionTimeout },
		"--group":               func(c *Config) { c.Consumer.Group = "" },
		"--database":            func(c *Config) { c.Warehouse.Database = "" },
	} {
		config := good
		change(&config)
		_, err := New(config, Deps{})
		require.ErrorContains(t, err, want)
	}
}
