// Package deploy checks what is deployed: docker-compose.yml, the Helm chart, alerts and dashboards. No container is started;
// what can be known without one is asked of the libraries of Compose, Helm, Kubernetes and Prometheus, and of our own binaries.
//
//	programs_test.go    the binaries: which variables they know, and what they say to a configuration
//	compose_test.go     docker-compose.yml
//	chart_test.go       the chart, rendered, beside what it rendered last
//	manifests_test.go   what was rendered: every field is Kubernetes', every variable and port a program's
//	metrics_test.go     the metrics there are, by docs/metrics.md
//	promql_test.go      series by hand, and Prometheus's engine to ask them
//	alerts_test.go      the alerts, each of which fires and does not
//	dashboards_test.go  the dashboards
package deploy
