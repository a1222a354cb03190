package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

var metricRow = regexp.MustCompile("(?m)^\\| `(millrace_[a-z_]+)` \\| ([a-z]+) \\| (.*?) \\|")

// metric is a metric that the programs export.
type metric struct {
	kind   string
	labels []string
}

// metrics are those of docs/metrics.md, which test/e2e generates from the code. Histograms have the names of their
// series.
func metrics(t *testing.T) map[string]metric {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	require.NoError(t, err)
	all := map[string]metric{"up": {kind: "gauge"}, "process_cpu_seconds_total": {kind: "counter"}, "process_resident_memory_bytes": {kind: "gauge"}}
	for _, row := range metricRow.FindAllStringSubmatch(string(page), -1) {
		m := metric{kind: row[2]}
		for label := range strings.SplitSeq(strings.Trim(row[3], "`"), "`, `") {
			m.labels = append(m.labels, label)
		}
		if m.kind != "histogram" {
			all[row[1]] = m
			continue
		}
		all[row[1]+"_count"], all[row[1]+"_sum"] = m, m
		all[row[1]+"_bucket"] = metric{m.kind, append(slices.Clone(m.labels), "le")}
	}
	require.Greater(t, len(all), 50)
	return all
}

// ofTheScrape are the labels that Prometheus adds to every series.
var ofTheScrape = []string{model.MetricNameLabel, "job", "instance"}

var promqlParser = parser.NewParser(parser.Options{})

// asks checks that an expression uses existing metrics and labels, and rates of counters only. It returns the number of
// selectors.
func asks(t *testing.T, expression string) (selectors int) {
	t.Helper()
	all := metrics(t)
	tree, err := promqlParser.ParseExpr(expression)
	require.NoError(t, err, expression)
	parser.Inspect(tree, func(node parser.Node, path []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			selectors++
			require.Contains(t, all, n.Name, expression)
			for _, m := range n.LabelMatchers {
				require.Contains(t, append(slices.Clone(ofTheScrape), all[n.Name].labels...), m.Name, expression)
			}
		case *parser.Call:
			if n.Func.Name == "rate" || n.Func.Name == "increase" {
				name := n.Args[0].(*parser.MatrixSelector).VectorSelector.(*parser.VectorSelector).Name
				require.NotEqual(t, "gauge", all[name].kind, "the rate of %s, in %s", name, expression)
			}
		case *parser.AggregateExpr:
			for _, label := range n.Grouping {
				require.True(t, grouped(all, n, label), "%s has no label %s", expression, label)
			}
		}
		return nil
	})
	return selectors
}

// grouped reports whether a metric within the aggregation has the label.
func grouped(all map[string]metric, in parser.Node, label string) (found bool) {
	parser.Inspect(in, func(node parser.Node, _ []parser.Node) error {
		if n, ok := node.(*parser.VectorSelector); ok {
			found = found || slices.Contains(append(slices.Clone(ofTheScrape), all[n.Name].labels...), label)
		}
		return nil
	})
	return found
}
