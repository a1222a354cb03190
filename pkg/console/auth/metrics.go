package auth

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Reasons for refusing a request.
const (
	reasonHost        = "host"
	reasonForwarded   = "forwarded"
	reasonCrossOrigin = "cross_origin"
	reasonNoOrigin    = "no_origin"
	reasonNoSession   = "no_session"
	reasonNoProxyUser = "no_proxy_user"
)

// Metrics counts logins, sessions and refused requests. Label values are fixed: they hold nothing from a request.
type Metrics struct {
	loggedIn, failed, limited prometheus.Counter
	sessions                  prometheus.Gauge
	refused                   *prometheus.CounterVec
}

// NewMetrics registers the metrics; with a nil Registerer they are not shown.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	factory := promauto.With(reg)
	logins := factory.NewCounterVec(prometheus.CounterOpts{
		Namespace: "millrace", Subsystem: "console", Name: "logins_total",
		Help: "Logins to the console by result: ok, failed (wrong password), limited (too many failures).",
	}, []string{"result"})
	m := &Metrics{
		loggedIn: logins.WithLabelValues("ok"),
		failed:   logins.WithLabelValues("failed"),
		limited:  logins.WithLabelValues("limited"),
		sessions: factory.NewGauge(prometheus.GaugeOpts{
			Namespace: "millrace", Subsystem: "console", Name: "sessions",
			Help: "Sessions of the console that have not ended.",
		}),
		refused: factory.NewCounterVec(prometheus.CounterOpts{
			Namespace: "millrace",
			Subsystem: "console",
			Name:      "requests_rejected_total",
			Help: "Refused requests to the console by reason: host (unknown Host header), forwarded (by a proxy to a console without login), " +
				"cross_origin (from another site's page), no_origin, no_session, no_proxy_user.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{
		reasonHost, reasonForwarded, reasonCrossOrigin, reasonNoOrigin, reasonNoSession, reasonNoProxyUser,
	} {
		m.refused.WithLabelValues(reason)
	}
	return m
}
