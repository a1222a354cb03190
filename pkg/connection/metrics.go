package connection

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are the package's counters. Label values are constants.
type Metrics struct {
	scrypt           prometheus.Counter
	hitProcess       prometheus.Counter
	hitRedis         prometheus.Counter
	hitRejected      prometheus.Counter
	redisErrors      prometheus.Counter
	undecodable      prometheus.Counter
	activityFailures prometheus.Counter
}

// NewMetrics registers the counters. With a nil Registerer they are not exported.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	factory := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(
			prometheus.CounterOpts{Namespace: "millrace", Subsystem: "connection", Name: name, Help: help},
		)
	}
	hits := factory.NewCounterVec(prometheus.CounterOpts{
		Namespace: "millrace", Subsystem: "connection", Name: "cache_hits_total",
		Help: "Tokens verified without scrypt: from this process, from Redis, or from cached rejections.",
	}, []string{"layer"})
	return &Metrics{
		scrypt:      counter("scrypt_runs_total", "Runs of scrypt to prove tokens and shared secrets."),
		hitProcess:  hits.WithLabelValues("process"),
		hitRedis:    hits.WithLabelValues("redis"),
		hitRejected: hits.WithLabelValues("rejected"),
		redisErrors: counter(
			"redis_errors_total",
			"Failed or slow calls of Redis; each costs at most one run of scrypt.",
		),
		undecodable: counter(
			"undecodable_records_total",
			"Records of the registry that were skipped because they cannot be decoded.",
		),
		activityFailures: counter(
			"activity_failures_total",
			"Activity records that could not be written; they are retried.",
		),
	}
}
