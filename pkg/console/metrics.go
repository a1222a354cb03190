package console

import "github.com/prometheus/client_golang/prometheus"

// metrics of the pages. Package auth has those of logins.
type metrics struct {
	streams prometheus.Gauge
	shown   prometheus.Counter
	leftOut prometheus.Counter
	failed  prometheus.Counter
	bugs    prometheus.Counter
	replays prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		streams: prometheus.NewGauge(
			prometheus.GaugeOpts{
				Namespace: "millrace",
				Subsystem: "console",
				Name:      "streams",
				Help:      "Open event streams to pages.",
			},
		),
		shown: prometheus.NewCounter(
			prometheus.CounterOpts{
				Namespace: "millrace",
				Subsystem: "console",
				Name:      "messages_shown_total",
				Help:      "Messages shown on pages as they arrived.",
			},
		),
		leftOut: prometheus.NewCounter(
			prometheus.CounterOpts{
				Namespace: "millrace",
				Subsystem: "console",
				Name:      "messages_skipped_total",
				Help:      "Messages and records of watched partitions that were skipped because of their rate.",
			},
		),
		failed: prometheus.NewCounter(
			prometheus.CounterOpts{
				Namespace: "millrace",
				Subsystem: "console",
				Name:      "page_failures_total",
				Help:      "Pages that failed because Kafka or ClickHouse did not answer.",
			},
		),
		bugs: prometheus.NewCounter(
			prometheus.CounterOpts{
				Namespace: "millrace",
				Subsystem: "console",
				Name:      "panics_total",
				Help:      "Pages and replays that ended with a panic.",
			},
		),
		replays: prometheus.NewGauge(
			prometheus.GaugeOpts{
				Namespace: "millrace",
				Subsystem: "console",
				Name:      "replays_running",
				Help:      "Running replays that were started in the console.",
			},
		),
	}
	reg.MustRegister(m.streams, m.shown, m.leftOut, m.failed, m.bugs, m.replays)
	return m
}
