package connection

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics counts what this package does. Its labels are fixed: none holds anything of a request.
type Metrics struct {
	scrypt           prometheus.Counter
	hitProcess       prometheus.Counter
	hitRedis         prometheus.Counter
	hitRefused       prometheus.Counter
	redisErrors      prometheus.Counter
	undecodable      prometheus.Counter
	activityFailures prometheus.Counter
}

// NewMetrics registers the counters; with a nil Registerer they are counted but not shown.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	factory := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "connection", Name: name, Help: help})
	}
	hits := factory.NewCounterVec(prometheus.CounterOpts{
		Namespace: "millrace", Subsystem: "connection", Name: "cache_hits_total",
		Help: "Tokens decided without scrypt: by this process, by Redis, or as refused before.",
	}, []string{"layer"})
	return &Metrics{
		scrypt:           counter("scrypt_runs_total", "Runs of scrypt to prove tokens and shared secrets."),
		hitProcess:       hits.WithLabelValues("process"),
		hitRedis:         hits.WithLabelValues("redis"),
		hitRefused:       hits.WithLabelValues("refused"),
		redisErrors:      counter("redis_errors_total", "Failed or late calls of Redis; they cost a run of scrypt at most."),
		undecodable:      counter("undecodable_records_total", "Records of the log that were skipped because they cannot be read."),
		activityFailures: counter("activity_failures_total", "Activity records that could not be written; they are tried again."),
	}
}
