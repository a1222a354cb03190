// Package deploy tests docker-compose.yml, the Helm chart, alerts and dashboards, without starting a container. It uses
// the libraries of Compose, Helm, Kubernetes and Prometheus, and our own binaries.
//
//	programs_test.go    the binaries: their variables, and their answer to a configuration
//	compose_test.go     docker-compose.yml
//	chart_test.go       the rendered chart, compared with testdata
//	manifests_test.go   the rendered manifests: fields of Kubernetes, variables and ports of the programs
//	metrics_test.go     the metrics of docs/metrics.md
//	promql_test.go      series written by hand, and Prometheus's query engine
//	alerts_test.go      the alerts, each with series that fire it and series that do not
//	dashboards_test.go  the dashboards
package deploy
