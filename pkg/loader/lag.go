package loader

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/stream"
)

// lag is how far a lane is behind: in records, and in the time that the oldest of them waits since it was written. Time is what
// promises are made in, and it grows while nothing is fetched or committed.
type lag struct {
	mu        sync.Mutex
	known     bool
	next, end int64 // where the lane goes on after what is committed, and the partition's end as last fetched
	waiting   []fetch
}

// fetch is a batch that is not committed.
type fetch struct {
	last    int64     // its last record's offset
	written time.Time // its first record
}

func (g *lag) fetched(b *stream.Batch) {
	if b.Len() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.known {
		g.known, g.next = true, b.Offset(0)
	}
	g.end = b.End
	g.waiting = append(g.waiting, fetch{b.Offset(b.Len() - 1), b.Written(0)})
}

func (g *lag) committed(next int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = next
	for len(g.waiting) > 0 && g.waiting[0].last < next {
		g.waiting = g.waiting[1:]
	}
}

// since is the lag at the instant now; unknown until something was fetched.
func (g *lag) since(now time.Time) (records int64, waits time.Duration, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) > 0 {
		waits = max(0, now.Sub(g.waiting[0].written))
	}
	return max(0, g.end-g.next), waits, g.known
}

// partitionMetrics shows what is read off the lanes when somebody looks.
type partitionMetrics struct {
	service             *Service
	lanes, records, age *prometheus.Desc
}

func newPartitionMetrics(s *Service) *partitionMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName("millrace", "loader", name), help, labels, nil)
	}
	return &partitionMetrics{
		service: s,
		lanes:   desc("partitions_assigned", "Partitions that this loader has, of both topics."),
		records: desc("lag_records", "Records between what is committed and the partition's end as last fetched.", "topic", "partition"),
		age: desc("lag_seconds", "How long the oldest record that was fetched and is not committed waits since it was written; as exact as the batches it was fetched in.",
			"topic", "partition"),
	}
}

// Describe implements prometheus.Collector.
func (m *partitionMetrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- m.lanes
	descs <- m.records
	descs <- m.age
}

// Collect implements prometheus.Collector.
func (m *partitionMetrics) Collect(metrics chan<- prometheus.Metric) {
	m.service.mu.Lock()
	defer m.service.mu.Unlock()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	gauge(m.lanes, float64(len(m.service.workers)))
	now := time.Now()
	for p, l := range m.service.workers {
		if records, waits, known := l.lag.since(now); known {
			id := strconv.Itoa(int(p.ID))
			gauge(m.records, float64(records), p.Topic, id)
			gauge(m.age, waits.Seconds(), p.Topic, id)
		}
	}
}
