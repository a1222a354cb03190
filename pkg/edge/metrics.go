package edge

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/segment"
)

// metrics counts by request, never by label look-up per message.
type metrics struct {
	requests    *prometheus.CounterVec
	accepted    prometheus.Counter
	ignored     prometheus.Counter
	dead        [len(deadReasons)]prometheus.Counter
	paused      prometheus.Counter
	bytes       prometheus.Counter
	panics      prometheus.Counter
	httpErrors  prometheus.Counter
	duration    prometheus.Histogram
	acknowledge prometheus.Histogram
}

var deadReasons = [...]segment.Reason{segment.NotAMessage, segment.MissingEvent, segment.InvalidProperties, segment.MessageTooLarge}

func newMetrics(registry prometheus.Registerer, admit *admission) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "edge", Name: name, Help: help})
		registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "millrace", Subsystem: "edge", Name: name, Help: help,
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}})
		registry.MustRegister(h)
		return h
	}
	gauge := func(name, help string, read func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "millrace", Subsystem: "edge", Name: name, Help: help}, read))
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "edge", Name: "requests_total",
			Help: "Requests answered, by status and error code."}, []string{"status", "code"}),
		accepted:    counter("messages_accepted_total", "Messages acknowledged by the brokers and answered with 200."),
		ignored:     counter("messages_ignored_total", "Messages dropped silently for their type."),
		paused:      counter("requests_paused_total", "Requests answered with 204 because their connection is paused or disconnected."),
		bytes:       counter("body_bytes_total", "Bytes of bodies read, before decompression."),
		panics:      counter("panics_total", "Panics caught in the handler. Each is a bug."),
		httpErrors:  counter("http_errors_total", "Requests that could not be read as HTTP, were too large or too slow."),
		duration:    histogram("request_duration_seconds", "From the request's headers to its answer, of requests answered with 200."),
		acknowledge: histogram("acknowledge_duration_seconds", "From handing a request's records to the producer to the last acknowledgement."),
	}
	registry.MustRegister(m.requests)
	dead := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "edge", Name: "messages_dead_total",
		Help: "Messages kept as dead letters, by reason."}, []string{"reason"})
	registry.MustRegister(dead)
	for i, reason := range deadReasons {
		m.dead[i] = dead.WithLabelValues(reason.Code())
	}
	gauge("in_flight_bytes", "Bytes of bodies held.", func() float64 { return float64(admit.bytes.Load()) })
	gauge("in_flight_requests", "Requests being served.", func() float64 { return float64(admit.requests.Load()) })
	return m
}

func (m *metrics) refused(r *refusal) {
	m.requests.WithLabelValues(strconv.Itoa(r.status), r.code).Inc()
}

// stored counts a payload that was answered with 200.
func (m *metrics) stored(p *segment.Payload, took time.Duration) {
	m.requests.WithLabelValues("200", "").Inc()
	m.accepted.Add(float64(p.Accepted))
	m.ignored.Add(float64(p.Ignored))
	m.duration.Observe(took.Seconds())
	if p.Invalid == 0 {
		return
	}
	for i := range p.Messages {
		for j, reason := range deadReasons {
			if p.Messages[i].Reason == reason {
				m.dead[j].Inc()
			}
		}
	}
}
