package loader

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/dedup"
	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
)

type metrics struct {
	rows         prometheus.Counter
	bytes        prometheus.Counter
	blocks       prometheus.Counter
	records      *prometheus.CounterVec
	deadLetters  *prometheus.CounterVec
	malformed    [len(mapping.OverrideNames)]prometheus.Counter
	retries      *prometheus.CounterVec
	fetchErrors  prometheus.Counter
	stages       []prometheus.Observer
	insert       prometheus.Histogram
	freshness    prometheus.Histogram
	offset       *prometheus.GaugeVec
	duplicates   prometheus.Counter
	dedupIDs     *prometheus.GaugeVec
	dedupBytes   *prometheus.GaugeVec
	dedupReach   *prometheus.GaugeVec
	dedupLookups *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer, held *memoryLimit) *metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "millrace", Subsystem: "loader", Name: name, Help: help}
	}
	m := &metrics{
		rows:         prometheus.NewCounter(prometheus.CounterOpts(opts("rows_inserted_total", "Rows written to ClickHouse."))),
		bytes:        prometheus.NewCounter(prometheus.CounterOpts(opts("inserted_bytes_total", "Bytes of columns written to ClickHouse."))),
		blocks:       prometheus.NewCounter(prometheus.CounterOpts(opts("blocks_inserted_total", "Blocks written to ClickHouse."))),
		records:      prometheus.NewCounterVec(prometheus.CounterOpts(opts("records_committed_total", "Records that are done, by topic.")), []string{"topic"}),
		deadLetters:  prometheus.NewCounterVec(prometheus.CounterOpts(opts("dead_letters_total", "Records that could not become rows, by reason.")), []string{"reason"}),
		retries:      prometheus.NewCounterVec(prometheus.CounterOpts(opts("retries_total", "Failed operations that are retried, by operation.")), []string{"operation"}),
		fetchErrors:  prometheus.NewCounter(prometheus.CounterOpts(opts("fetch_errors_total", "Polls that returned an error."))),
		offset:       prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("committed_offset", "The offset before which everything is done.")), []string{"topic", "partition"}),
		duplicates:   prometheus.NewCounter(prometheus.CounterOpts(opts("duplicates_dropped_total", "Messages dropped because an event with the same insert id and another timestamp is stored."))),
		dedupIDs:     prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("dedup_ids", "Insert ids in the deduplication index.")), []string{"partition"}),
		dedupBytes:   prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("dedup_bytes", "Memory of the deduplication index.")), []string{"partition"}),
		dedupReach:   prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("dedup_reach_seconds", "Time span that the deduplication index covers: the window, or less if it is full.")), []string{"partition"}),
		dedupLookups: prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("dedup_lookups", "Results of look-ups in the deduplication index since the partition was assigned.")), []string{"partition", "result"}),
		insert: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "millrace", Subsystem: "loader", Name: "insert_duration_seconds",
			Help: "Time to insert a block, with all its attempts.", Buckets: prometheus.ExponentialBuckets(.005, 2, 14)}),
		freshness: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "millrace", Subsystem: "loader", Name: "freshness_seconds",
			Help: "From the edge's receipt of a block's oldest record to the block's commit.", Buckets: prometheus.ExponentialBuckets(.05, 2, 14)}),
	}
	malformed := prometheus.NewCounterVec(prometheus.CounterOpts(opts("malformed_overrides_total", "gf_ properties that were ignored, by name.")), []string{"property"})
	for i, name := range mapping.OverrideNames {
		m.malformed[i] = malformed.WithLabelValues(name)
	}
	stage := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "millrace", Subsystem: "loader", Name: "stage_duration_seconds",
		Help: "Time that a block spends in each stage, with all its attempts.", Buckets: prometheus.ExponentialBuckets(.001, 4, 9)}, []string{"stage"})
	for i := range stages {
		m.stages = append(m.stages, stage.WithLabelValues(stages[i].name))
	}
	registry.MustRegister(m.duplicates, m.dedupIDs, m.dedupBytes, m.dedupReach, m.dedupLookups)
	registry.MustRegister(malformed, stage, m.rows, m.bytes, m.blocks, m.records, m.deadLetters, m.retries, m.fetchErrors, m.offset, m.insert, m.freshness,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts("buffered_bytes_limit", "Buffered bytes at which the loader stops fetching.")), func() float64 { return float64(held.max) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts("buffered_bytes", "Bytes of messages fetched and not yet committed.")), func() float64 { return float64(held.bufferedBytes.Load()) }))
	return m
}

func (m *metrics) inserted(rows, bytes int, took time.Duration) {
	m.rows.Add(float64(rows))
	m.bytes.Add(float64(bytes))
	m.blocks.Inc()
	m.insert.Observe(took.Seconds())
}

func (m *metrics) committed(p stream.Partition, c *insertBatch) {
	id := strconv.Itoa(int(p.ID))
	m.records.WithLabelValues(p.Topic).Add(float64(c.records))
	m.offset.WithLabelValues(p.Topic, id).Set(float64(c.nextOffset))
	if !c.replayed {
		m.freshness.Observe(time.Since(time.UnixMicro(c.oldestReceivedAt)).Seconds())
	}
	for i := range c.deadLetters {
		m.deadLetters.WithLabelValues(c.deadLetters[i].reason).Inc()
	}
}

// observeDedup shows how a lane's memory of insert ids fares.
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

func (m *metrics) forget(p stream.Partition) {
	id := strconv.Itoa(int(p.ID))
	m.dedupIDs.DeleteLabelValues(id)
	m.dedupBytes.DeleteLabelValues(id)
	m.dedupReach.DeleteLabelValues(id)
	m.dedupLookups.DeletePartialMatch(prometheus.Labels{"partition": id})
	m.offset.DeleteLabelValues(p.Topic, id)
}

func (m *metrics) countMalformed(set mapping.Overrides) {
	set.Each(func(index int) { m.malformed[index].Inc() })
}
