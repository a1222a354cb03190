package edge

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/payload"
)

// metrics are counted per request, without a label look-up per message. Label values are constants: none comes from a
// request.
type metrics struct {
	requests    *prometheus.CounterVec
	ok, paused  prometheus.Counter // children of requests, looked up once
	accepted    prometheus.Counter
	ignored     prometheus.Counter
	dead        map[*payload.Reason]prometheus.Counter
	bytes       prometheus.Counter
	panics      prometheus.Counter
	httpErrors  prometheus.Counter
	duration    prometheus.Histogram
	acknowledge prometheus.Histogram
}

var secondsBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// named returns the options that all metrics of the edge share.
func named(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: "millrace", Subsystem: "edge", Name: name, Help: help}
}

func newMetrics(registry prometheus.Registerer, admit *admission, formats []*payload.Format) *metrics {
	factory := promauto.With(registry)
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts(named(name, help)))
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		return factory.NewCounterVec(prometheus.CounterOpts(named(name, help)), labels)
	}
	histogram := func(name, help string) prometheus.Histogram {
		o := named(name, help)
		return factory.NewHistogram(
			prometheus.HistogramOpts{
				Namespace: o.Namespace,
				Subsystem: o.Subsystem,
				Name:      o.Name,
				Help:      o.Help,
				Buckets:   secondsBuckets,
			},
		)
	}
	gauge := func(name, help string, read func() int64) {
		factory.NewGaugeFunc(prometheus.GaugeOpts(named(name, help)), func() float64 { return float64(read()) })
	}
	requests := vector(
		"requests_total",
		"Requests answered, by status and error code. 204 is a paused or disconnected connection.",
		"status",
		"code",
	)
	m := &metrics{
		requests:   requests,
		ok:         requests.WithLabelValues("200", ""),
		paused:     requests.WithLabelValues("204", ""),
		accepted:   counter("messages_accepted_total", "Messages acknowledged by the brokers and answered with 200."),
		ignored:    counter("messages_ignored_total", "Messages dropped by type: identify, group, alias."),
		dead:       map[*payload.Reason]prometheus.Counter{},
		bytes:      counter("body_bytes_total", "Bytes of bodies read, before decompression."),
		panics:     counter("panics_total", "Panics caught in the handler. Each is a bug."),
		httpErrors: counter("http_errors_total", "Requests that were not valid HTTP, too large or too slow."),
		duration: histogram(
			"request_duration_seconds",
			"Time from the request's headers to its answer, for answers with 200.",
		),
		acknowledge: histogram(
			"acknowledge_duration_seconds",
			"Time from producing a request's records to the last acknowledgement.",
		),
	}
	dead := vector("dead_letters_total", "Messages kept as dead letters, by reason.", "reason")
	for _, format := range formats {
		for _, reason := range format.Invalid {
			m.dead[reason] = dead.WithLabelValues(reason.Code())
		}
	}
	gauge("in_flight_bytes", "Bytes of bodies in flight.", admit.bytes.Load)
	gauge(
		"in_flight_bytes_limit",
		"Bytes of bodies in flight above which requests get 429.",
		func() int64 { return admit.maxBytes },
	)
	gauge("in_flight_requests", "Requests in flight.", admit.requests.Load)
	gauge(
		"in_flight_requests_limit",
		"Requests in flight above which requests get 429.",
		func() int64 { return admit.maxRequests },
	)
	return m
}

// watch exports values that the HTTP server and the registry of connections keep.
func (m *metrics) watch(
	registry prometheus.Registerer,
	server *fasthttp.Server,
	peers *addressLimit,
	connections *connection.Registry,
) {
	factory := promauto.With(registry)
	factory.NewGaugeFunc(
		prometheus.GaugeOpts(
			named(
				"registry_age_seconds",
				"Time since the registry of connections was last confirmed to be current; infinite before the first time. Above 1 every request gets 500.",
			),
		),
		func() float64 { return connections.Age(time.Now()) },
	)
	factory.NewGaugeFunc(prometheus.GaugeOpts(named("open_connections", "Connections open.")),
		func() float64 { return float64(server.GetOpenConnectionsCount()) })
	factory.NewCounterFunc(
		prometheus.CounterOpts(
			named("connections_rejected_total", "Connections over --max-connections, answered with 503 and closed."),
		),
		func() float64 { return float64(server.GetRejectedConnectionsCount()) },
	)
	factory.NewCounterFunc(
		prometheus.CounterOpts(
			named(
				"connections_over_address_limit_total",
				"Connections closed because their address has --max-connections-per-address open.",
			),
		),
		func() float64 { return float64(peers.rejected.Load()) },
	)
}

func (m *metrics) refused(r *refusal) {
	if r == paused {
		m.paused.Inc()
		return
	}
	m.requests.WithLabelValues(strconv.Itoa(r.status), r.code).Inc()
}

// stored counts a payload answered with 200.
func (m *metrics) stored(p *payload.Payload, took time.Duration) {
	m.ok.Inc()
	m.accepted.Add(float64(p.Accepted))
	m.ignored.Add(float64(p.Ignored))
	m.duration.Observe(took.Seconds())
	if p.Invalid == 0 {
		return
	}
	for i := range p.Messages {
		if counter, invalid := m.dead[p.Messages[i].Reason]; invalid {
			counter.Inc()
		}
	}
}
