package loader

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// partitionMetrics are read from the workers when they are scraped.
type partitionMetrics struct {
	reader                 *reader
	assigned, records, age *prometheus.Desc
}

func newPartitionMetrics(r *reader) *partitionMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName("millrace", "loader", name), help, labels, nil)
	}
	return &partitionMetrics{
		reader:   r,
		assigned: desc("partitions_assigned", "Partitions assigned to this loader, of both topics."),
		records: desc("lag_records", "Records between the committed offset and the partition's end as last fetched.",
			"topic", "partition"),
		age: desc("lag_seconds", "Age of the oldest record that is fetched and not committed; as exact as its fetch.",
			"topic", "partition"),
	}
}

// Describe implements prometheus.Collector.
func (m *partitionMetrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- m.assigned
	descs <- m.records
	descs <- m.age
}

// Collect implements prometheus.Collector.
func (m *partitionMetrics) Collect(metrics chan<- prometheus.Metric) {
	m.reader.mu.Lock()
	defer m.reader.mu.Unlock()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	gauge(m.assigned, float64(len(m.reader.workers)))
	now := time.Now()
	for p, w := range m.reader.workers {
		if records, age, known := w.lag.at(now); known {
			id := strconv.Itoa(int(p.ID))
			gauge(m.records, float64(records), p.Topic, id)
			gauge(m.age, age.Seconds(), p.Topic, id)
		}
	}
}
