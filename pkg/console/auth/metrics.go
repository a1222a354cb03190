package auth

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Why a request is refused.
const (
	reasonHost        = "host"
	reasonForwarded   = "forwarded"
	reasonCrossOrigin = "cross_origin"
	reasonNoOrigin    = "no_origin"
	reasonNoSession   = "no_session"
	reasonNoProxyUser = "not_vouched"
)

// Metrics counts who comes in and who does not. Its labels are fixed: none holds anything of a request.
type Metrics struct {
	loggedIn, failed, limited prometheus.Counter
	sessions                  prometheus.Gauge
	refused                   *prometheus.CounterVec
}

// NewMetrics registers the counters; with a nil Registerer they are counted but not shown.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	factory := promauto.With(reg)
	logins := factory.NewCounterVec(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "console", Name: "logins_total",
		Help: "Logins to the console: with the password, with a wrong one, and those that had to wait because too many were wrong."}, []string{"result"})
	m := &Metrics{
		loggedIn: logins.WithLabelValues("ok"),
		failed:   logins.WithLabelValues("failed"),
		limited:  logins.WithLabelValues("limited"),
		sessions: factory.NewGauge(prometheus.GaugeOpts{Namespace: "millrace", Subsystem: "console", Name: "sessions",
			Help: "Logins to the console that have not ended."}),
		refused: factory.NewCounterVec(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "console", Name: "requests_rejected_total",
			Help: "Requests to the console that were refused: under another host's name, forwarded to an open console, made by another site's page, without an origin, " +
				"without a session, not vouched for by a proxy."}, []string{"reason"}),
	}
	for _, reason := range []string{reasonHost, reasonForwarded, reasonCrossOrigin, reasonNoOrigin, reasonNoSession, reasonNoProxyUser} {
		m.refused.WithLabelValues(reason)
	}
	return m
}
