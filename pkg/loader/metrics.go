package loader

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/millrace/millrace/pkg/dedup"
	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
)

type metrics struct {
	rows            prometheus.Counter
	bytes           prometheus.Counter
	blocks          prometheus.Counter
	records         *prometheus.CounterVec
	deadLetters     *prometheus.CounterVec
	malformed       [len(mapping.OverrideNames)]prometheus.Counter
	incredibleTimes prometheus.Counter
	retries         *prometheus.CounterVec
	fetchErrors     prometheus.Counter
	recordsLost     prometheus.Counter
	stages          [len(stages)]prometheus.Observer
	insert          prometheus.Histogram
	freshness       prometheus.Histogram
	offset          *prometheus.GaugeVec
	duplicates      prometheus.Counter
	dedupIDs        *prometheus.GaugeVec
	dedupBytes      *prometheus.GaugeVec
	dedupReach      *prometheus.GaugeVec
	dedupLookups    *prometheus.GaugeVec
}

// metricsFactory makes metrics in the loader's namespace.
type metricsFactory struct{ promauto.Factory }

func opts(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: "millrace", Subsystem: "loader", Name: name, Help: help}
}

func (f metricsFactory) counter(name, help string) prometheus.Counter {
	return f.NewCounter(prometheus.CounterOpts(opts(name, help)))
}

func (f metricsFactory) counters(name, help string, labels ...string) *prometheus.CounterVec {
	return f.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
}

func (f metricsFactory) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return f.NewGaugeVec(prometheus.GaugeOpts(opts(name, help)), labels)
}

func (f metricsFactory) gaugeOf(name, help string, value func() int64) {
	f.NewGaugeFunc(prometheus.GaugeOpts(opts(name, help)), func() float64 { return float64(value()) })
}

// histogramOpts has n buckets, each factor times the one before.
func histogramOpts(name, help string, first, factor float64, n int) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Namespace: "millrace", Subsystem: "loader", Name: name, Help: help,
		Buckets: prometheus.ExponentialBuckets(first, factor, n),
	}
}

func newMetrics(registry prometheus.Registerer, memory *memoryLimit) *metrics {
	f := metricsFactory{promauto.With(registry)}
	m := &metrics{
		rows:        f.counter("rows_inserted_total", "Rows inserted into ClickHouse."),
		bytes:       f.counter("inserted_bytes_total", "Bytes of columns inserted into ClickHouse."),
		blocks:      f.counter("blocks_inserted_total", "Blocks inserted into ClickHouse."),
		records:     f.counters("records_committed_total", "Committed records, by topic.", "topic"),
		deadLetters: f.counters("dead_letters_total", "Records that could not become rows, by reason.", "reason"),
		retries:     f.counters("retries_total", "Failed operations that are retried, by operation.", "operation"),
		fetchErrors: f.counter("fetch_errors_total", "Polls that returned an error."),
		recordsLost: f.counter("records_lost_total", "Records that the brokers deleted before they were loaded."),
		insert: f.NewHistogram(histogramOpts(
			"insert_duration_seconds", "Time to insert a block, with all its attempts.", .005, 2, 14)),
		freshness: f.NewHistogram(histogramOpts("freshness_seconds",
			"Time from the edge's receipt of a block's oldest record to the block's commit.", .05, 2, 14)),
		offset: f.gauges("committed_offset", "Offset before which all records are committed.", "topic", "partition"),
		duplicates: f.counter("duplicates_dropped_total",
			"Messages dropped because an event with the same insert id and another timestamp is stored."),
		dedupIDs:   f.gauges("dedup_ids", "Insert ids in the deduplication index.", "partition"),
		dedupBytes: f.gauges("dedup_bytes", "Memory of the deduplication index.", "partition"),
		dedupReach: f.gauges("dedup_reach_seconds",
			"Time span that the deduplication index covers: the window, or less if it is full.", "partition"),
		dedupLookups: f.gauges("dedup_lookups",
			"Results of look-ups in the deduplication index since the partition was assigned.", "partition", "result"),
	}
	m.incredibleTimes = f.counter("incredible_times_total",
		"Messages with a time before 2000 or more than 24 hours after receipt: that time does not count.")
	malformed := f.counters("malformed_overrides_total", "gf_ properties that were ignored, by name.", "property")
	for i, name := range mapping.OverrideNames {
		m.malformed[i] = malformed.WithLabelValues(name)
	}
	durations := f.NewHistogramVec(histogramOpts("stage_duration_seconds",
		"Time that a block spends in each stage, with all its attempts.", .001, 4, 9), []string{"stage"})
	for i, name := range stages {
		m.stages[i] = durations.WithLabelValues(name)
	}
	f.gaugeOf("buffered_bytes_limit", "Buffered bytes at which the loader stops fetching.",
		func() int64 { return memory.max })
	f.gaugeOf("buffered_bytes", "Bytes of records that are fetched and not committed.", memory.bufferedBytes.Load)
	return m
}

func (m *metrics) inserted(rows, bytes int, took time.Duration) {
	m.rows.Add(float64(rows))
	m.bytes.Add(float64(bytes))
	m.blocks.Inc()
	m.insert.Observe(took.Seconds())
}

func (m *metrics) committed(p stream.Partition, b preparedBatch, refused []deadLetter) {
	m.records.WithLabelValues(p.Topic).Add(float64(b.records))
	m.offset.WithLabelValues(p.Topic, strconv.Itoa(int(p.ID))).Set(float64(b.nextOffset))
	if !b.replayed {
		m.freshness.Observe(time.Since(time.UnixMicro(b.oldestReceivedAt)).Seconds())
	}
	for _, list := range [][]deadLetter{b.deadLetters, refused} {
		for i := range list {
			m.deadLetters.WithLabelValues(list[i].reason).Inc()
		}
	}
}

// observeDedup sets the gauges of a partition's deduplication index.
func (m *metrics) observeDedup(p stream.Partition, index *dedup.Index) {
	id := strconv.Itoa(int(p.ID))
	m.dedupIDs.WithLabelValues(id).Set(float64(index.Len()))
	m.dedupBytes.WithLabelValues(id).Set(float64(index.Bytes()))
	m.dedupReach.WithLabelValues(id).Set(float64(index.Now()-index.Since()) / 1000)
	counts := index.Counts()
	m.dedupLookups.WithLabelValues(id, "first").Set(float64(counts.First))
	m.dedupLookups.WithLabelValues(id, "same").Set(float64(counts.Same))
	m.dedupLookups.WithLabelValues(id, "suspect").Set(float64(counts.Suspect))
	m.dedupLookups.WithLabelValues(id, "old").Set(float64(counts.Old))
}

// forget removes the gauges of a revoked partition.
func (m *metrics) forget(p stream.Partition) {
	id := strconv.Itoa(int(p.ID))
	m.dedupIDs.DeleteLabelValues(id)
	m.dedupBytes.DeleteLabelValues(id)
	m.dedupReach.DeleteLabelValues(id)
	m.dedupLookups.DeletePartialMatch(prometheus.Labels{"partition": id})
	m.offset.DeleteLabelValues(p.Topic, id)
}

// countIgnored counts the overrides and times of a message that the mapping ignored.
func (m *metrics) countIgnored(r *mapping.Result) {
	if r.Type == mapping.IsEvent {
		r.Event.Malformed.Each(func(index int) { m.malformed[index].Inc() })
	}
	if r.IncredibleTime {
		m.incredibleTimes.Inc()
	}
}
