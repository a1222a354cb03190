package e2e

import (
	"cmp"
	goflag "flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/console"
	"github.com/millrace/millrace/pkg/edge"
	"github.com/millrace/millrace/pkg/loader"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/token"
	"github.com/millrace/millrace/test/env"
)

var update = goflag.Bool("update", false, "write docs/metrics.md anew")

// metricsPage names every metric. Alerts and dashboards are checked against it.
var metricsPage = filepath.Join("..", "..", "docs", "metrics.md")

const metricsIntro = `# Metrics

What ` + "`/metrics`" + ` on the admin address shows. This page is made from the code, and a test holds it to it:
` + "`go test ./test/e2e -run TestMetricsPage -update`" + `. Beside these are the Go runtime's (` + "`go_…`" + `), the process's (` + "`process_…`" + `) and the
scrape's own (` + "`promhttp_…`" + `). Metrics of ` + "`millrace_kafka_…`" + ` come from the Kafka client, and have its names.

[Alerts](../deploy/prometheus/alerts.yml) and [dashboards](../deploy/grafana) are made of them; the [runbook](runbook.md) says what to do.
`

// exported is one metric.
type exported struct {
	name, kind, help string
	labels           []string
}

func TestMetricsPage(t *testing.T) {
	env.KfakeOnly(t)
	page := metricsIntro + section("The edge", edgeMetrics(t)) + section("The loader", loaderMetrics(t)) + section("The console", consoleMetrics(t))
	if *update {
		require.NoError(t, os.WriteFile(metricsPage, []byte(page), 0o644))
	}
	written, err := os.ReadFile(metricsPage)
	require.NoError(t, err)
	require.Equal(t, string(written), page, "run the test with -update")
}

// The names are as Prometheus has them: what is counted ends in _total, seconds and bytes are units. The Kafka client's are
// its own.
func TestMetrics_Names_FollowPrometheus(t *testing.T) {
	env.KfakeOnly(t)
	for _, m := range slices.Concat(edgeMetrics(t), loaderMetrics(t)) {
		if !strings.HasPrefix(m.name, "millrace_kafka_") {
			require.Empty(t, lint(t, m), m.name)
		}
	}
	require.NotEmpty(t, lint(t, exported{name: "millrace_edge_requests", kind: "counter", help: "Requests."}), "a control")
}

func lint(t *testing.T, m exported) []promlint.Problem {
	t.Helper()
	kind := dto.MetricType(dto.MetricType_value[strings.ToUpper(m.kind)])
	family := &dto.MetricFamily{Name: &m.name, Help: &m.help, Type: &kind, Metric: []*dto.Metric{{}}}
	problems, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{family}).Lint()
	require.NoError(t, err)
	return problems
}

func section(title string, metrics []exported) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n| metric | kind | labels | what it is |\n|---|---|---|---|\n", title)
	for _, m := range metrics {
		labels := strings.Join(m.labels, "`, `")
		if labels != "" {
			labels = "`" + labels + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.kind, labels, m.help)
	}
	return b.String()
}

// someBroker is never asked: metrics are there before anything is reached.
const someBroker = "127.0.0.1:1"

func streamClient(t *testing.T, registry *prometheus.Registry) *stream.Client {
	t.Helper()
	config := stream.Config{Brokers: []string{someBroker}}
	require.NoError(t, kong.ApplyDefaults(&config))
	client, err := stream.NewClient(config, slog.New(slog.DiscardHandler), registry)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func edgeMetrics(t *testing.T) []exported {
	t.Helper()
	registry := telemetry.NewRegistry()
	var config edge.Config
	require.NoError(t, kong.ApplyDefaults(&config))
	config.HTTP = "127.0.0.1:0"
	_, err := edge.New(config, edge.Deps{Stream: streamClient(t, registry), Key: token.NewKey(), Log: slog.New(slog.DiscardHandler), Metrics: registry, Health: &telemetry.Health{}})
	require.NoError(t, err)
	return show(t, registry)
}

func loaderMetrics(t *testing.T) []exported {
	t.Helper()
	registry := telemetry.NewRegistry()
	var config loader.Config
	require.NoError(t, kong.ApplyDefaults(&config))
	client := streamClient(t, registry)
	_, err := loader.New(config, loader.Deps{Stream: client, Log: slog.New(slog.DiscardHandler), Metrics: registry, Health: &telemetry.Health{}})
	require.NoError(t, err)
	consumer, err := client.NewConsumer(config.Consumer, ignoredAssignments{}, client.Topics().Ingest)
	require.NoError(t, err)
	consumer.Close(t.Context())
	return show(t, registry)
}

func consoleMetrics(t *testing.T) []exported {
	t.Helper()
	registry := prometheus.NewRegistry()
	_, err := console.New(t.Context(), console.Config{}, "127.0.0.1:0", console.Deps{Log: slog.New(slog.DiscardHandler), Metrics: registry})
	require.NoError(t, err)
	return show(t, registry)
}

// ignoredAssignments owns partitions, of which no broker that is never reached gives any.
type ignoredAssignments struct{}

func (ignoredAssignments) Assigned([]stream.Partition)      {}
func (ignoredAssignments) Revoked([]stream.Partition, bool) {}

var description = regexp.MustCompile(`^Desc\{fqName: "(.*)", help: "(.*)", unit: ".*", constLabels: \{.*\}, variableLabels: \{(.*)\}\}$`)

// show lists what is registered, also what has no value yet.
func show(t *testing.T, registry *prometheus.Registry) (all []exported) {
	t.Helper()
	kinds := kindsOf(t, registry)
	descs := make(chan *prometheus.Desc)
	go func() { registry.Describe(descs); close(descs) }()
	for desc := range descs {
		parts := description.FindStringSubmatch(desc.String())
		require.NotNil(t, parts, desc.String())
		m := exported{name: parts[1], kind: kinds[parts[1]], help: parts[2]}
		if parts[3] != "" {
			m.labels = strings.Split(parts[3], ",")
		}
		if strings.HasPrefix(m.name, "millrace_") {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b exported) int { return cmp.Compare(a.name, b.name) })
	for i := range all {
		all[i].kind = cmp.Or(all[i].kind, kindByName(all[i].name))
	}
	return all
}

// kindByName is for metrics with labels that have no value yet.
func kindByName(name string) string {
	if strings.HasSuffix(name, "_total") {
		return "counter"
	}
	return "gauge"
}

func kindsOf(t *testing.T, registry *prometheus.Registry) map[string]string {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	kinds := map[string]string{}
	for _, family := range families {
		kinds[family.GetName()] = strings.ToLower(family.GetType().String())
	}
	return kinds
}
