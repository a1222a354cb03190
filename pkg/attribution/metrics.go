package attribution

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/identity"
)

type metrics struct {
	revised     *prometheus.CounterVec
	pass        prometheus.Histogram
	slowInserts prometheus.Counter
}

// newMetrics registers the metrics. The names have the loader's prefix, for attribution runs in its process.
func newMetrics(registry prometheus.Registerer, s *Service) *metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "millrace", Subsystem: "loader", Name: name, Help: help}
	}
	cache := func(name, help string, value func(identity.Stats) float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts(opts(name, help)), func() float64 {
			return value(s.identities.Stats())
		})
	}
	m := &metrics{
		slowInserts: prometheus.NewCounter(prometheus.CounterOpts(opts("slow_claim_inserts_total",
			"Inserts of identity changes that took longer than half the visibility delay. They delay "+
				"re-attribution."))),
		revised: prometheus.NewCounterVec(prometheus.CounterOpts(opts("reattributed_rows_total",
			"Stored rows written again because their user or conversation changed, by table.")), []string{"table"}),
		pass: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "millrace", Subsystem: "loader", Name: "reattribution_duration_seconds",
			Help:    "Duration of one re-attribution pass over stored events.",
			Buckets: prometheus.ExponentialBuckets(.001, 4, 10),
		}),
	}
	registry.MustRegister(m.revised, m.pass, m.slowInserts,
		cache("identity_cache_hits_total", "Identity look-ups answered by the cache, one for each name and block.",
			func(s identity.Stats) float64 { return float64(s.Hits) }),
		cache("identity_cache_misses_total", "Identity look-ups sent to ClickHouse.",
			func(s identity.Stats) float64 { return float64(s.Misses) }),
		prometheus.NewGaugeFunc(
			prometheus.GaugeOpts(opts("identity_cache_entries", "External ids and addresses in the cache.")),
			func() float64 { return float64(s.identities.Stats().Entries) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts("reattribution_lag_seconds",
			"Age of the oldest identity change that is not yet applied to stored events.")), s.lag))
	return m
}
