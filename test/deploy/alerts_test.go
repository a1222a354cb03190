package deploy

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/stretchr/testify/require"
)

func alerts(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(filepath.Join(root, "deploy", "prometheus", "alerts.yml"), false, model.UTF8Validation, promqlParser, slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
	rules := map[string]rulefmt.Rule{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			require.NotContains(t, rules, rule.Alert)
			rules[rule.Alert] = rule
		}
	}
	return rules
}

// firing returns the values with which an alert fires at a time: those whose expression held for the whole "for" time.
func firing(t *testing.T, rule rulefmt.Rule, s series, at time.Duration) (values []float64) {
	t.Helper()
	waits := time.Duration(rule.For)
	var since map[string]bool
	for instant := at - waits; instant <= at; instant += 30 * time.Second {
		met := map[string]bool{}
		values = nil
		for _, found := range s.ask(t, rule.Expr, instant) {
			key := found.Metric.String()
			if since == nil || since[key] {
				met[key] = true
				values = append(values, found.F)
			}
		}
		since = met
	}
	return values
}

const at = 90 * time.Minute // time of the evaluation, after 91 samples

// cases are the series of each alert: with fires it fires, and with quiet, which is bad but not bad enough, it does
// not. The series of well are added where a case does not replace them.
var cases = map[string]struct{ fires, quiet []string }{
	"MillraceNoEdge": {
		fires: []string{`up{job="millrace-edge",instance="a"} 1x80 0x20`},
		quiet: []string{`up{job="millrace-edge",instance="a"} 1x80 0x20`, `up{job="millrace-edge",instance="b"} 1x100`},
	},
	"MillraceNoLoader": {
		fires: []string{`up{job="millrace-loader",instance="a"} 1x80 _x20`},
		quiet: []string{`up{job="millrace-loader",instance="a"} 0x88 1x10`},
	},
	"MillraceDown": {
		fires: []string{`up{job="millrace-loader",instance="a"} 1x80 0x20`},
		quiet: []string{`up{job="millrace-loader",instance="a"} 0x88 1x10`, `up{job="else",instance="a"} 0x100`},
	},
	"MillraceNotAcknowledged": {
		fires: []string{`millrace_edge_requests_total{status="503",code="not_acknowledged"} 0+2x100`, `millrace_edge_requests_total{status="200",code=""} 0+98x100`},
		quiet: []string{`millrace_edge_requests_total{status="503",code="not_acknowledged"} 0x80 100x20`, `millrace_edge_requests_total{status="200",code=""} 0+98x100`},
	},
	"MillraceServerErrors": {
		fires: []string{`millrace_edge_requests_total{status="500",code="registry_unavailable"} 0+2x100`, `millrace_edge_requests_total{status="200",code=""} 0+98x100`},
		quiet: []string{`millrace_edge_requests_total{status="500",code="registry_unavailable"} 0+1x100`, `millrace_edge_requests_total{status="200",code=""} 0+199x100`},
	},
	"MillraceRegistryStale": {
		fires: []string{`millrace_edge_registry_age_seconds{instance="a"} 0.1x85 10+60x10`},
		quiet: []string{`millrace_edge_registry_age_seconds{instance="a"} 0.1x89 10x10`},
	},
	"MillraceOverload": {
		fires: []string{`millrace_edge_requests_total{status="429",code="overloaded"} 0+2x100`, `millrace_edge_requests_total{status="200",code=""} 0+98x100`},
		quiet: []string{`millrace_edge_requests_total{status="429",code="overloaded"} 0+1x100`, `millrace_edge_requests_total{status="200",code=""} 0+199x100`},
	},
	"MillraceEdgeNearlyFull": {
		fires: []string{`millrace_edge_in_flight_requests{instance="a"} 900x100`, `millrace_edge_in_flight_requests_limit{instance="a"} 1000x100`},
		quiet: []string{`millrace_edge_in_flight_bytes{instance="a"} 900x50 700x50`, `millrace_edge_in_flight_bytes_limit{instance="a"} 1000x100`},
	},
	"MillraceSlowAcknowledgements": {
		fires: []string{
			`millrace_edge_acknowledge_duration_seconds_bucket{le="1"} 0+90x100`, `millrace_edge_acknowledge_duration_seconds_bucket{le="2.5"} 0+100x100`,
			`millrace_edge_acknowledge_duration_seconds_bucket{le="+Inf"} 0+100x100`,
		},
		quiet: []string{
			`millrace_edge_acknowledge_duration_seconds_bucket{le="1"} 0+999x100`, `millrace_edge_acknowledge_duration_seconds_bucket{le="2.5"} 0+1000x100`,
			`millrace_edge_acknowledge_duration_seconds_bucket{le="+Inf"} 0+1000x100`,
		},
	},
	"MillraceConnectionsRejected": {
		fires: []string{`millrace_edge_connections_rejected_total 0+10x100`, `millrace_edge_connections_over_address_limit_total 0x100`},
		quiet: []string{`millrace_edge_connections_rejected_total 0+1x100`, `millrace_edge_connections_over_address_limit_total 0+1x100`},
	},
	"MillraceUnauthorized": {
		fires: []string{`millrace_edge_requests_total{status="401",code="unauthorized"} 0+120x100`},
		quiet: []string{`millrace_edge_requests_total{status="401",code="unauthorized"} 0+30x100`},
	},
	"MillraceBrokenMessages": {
		fires: []string{`millrace_edge_dead_letters_total{reason="missing_event"} 0+20x100`, `millrace_edge_messages_accepted_total 0+980x100`},
		quiet: []string{`millrace_edge_dead_letters_total{reason="missing_event"} 0+5x100`, `millrace_edge_messages_accepted_total 0+995x100`},
	},
	"MillracePanic": {
		fires: []string{`millrace_edge_panics_total{instance="a"} 0x80 1x20`},
		quiet: []string{`millrace_edge_panics_total{instance="a"} 0x40 1x60`},
	},
	"MillraceRegistryUndecodable": {
		fires: []string{`millrace_connection_undecodable_records_total{instance="a"} 0x80 1x20`},
		quiet: []string{`millrace_connection_undecodable_records_total{instance="a"} 3x100`},
	},
	"MillraceRedisErrors": {
		fires: []string{`millrace_connection_redis_errors_total{instance="a"} 0+30x100`},
		quiet: []string{`millrace_connection_redis_errors_total{instance="a"} 0x80 30x20`},
	},
	"MillraceLag": {
		fires: []string{`millrace_loader_lag_seconds{topic="millrace.ingest",partition="0"} 1x80 70+60x20`, `millrace_loader_lag_seconds{topic="millrace.ingest",partition="1"} 1x100`},
		quiet: []string{`millrace_loader_lag_seconds{topic="millrace.ingest",partition="0"} 1x87 70x20`},
	},
	"MillraceLagLong": {
		fires: []string{`millrace_loader_lag_seconds{topic="millrace.ingest",partition="0"} 0+60x100`},
		quiet: []string{`millrace_loader_lag_seconds{topic="millrace.ingest",partition="0"} 3000x100`},
	},
	"MillraceHotPartition": {
		fires: hot("1000000", "100"),
		quiet: hot("1000000", "900000"),
	},
	"MillraceNothingStored": {
		fires: []string{`millrace_edge_messages_accepted_total 0+1000x100`, `millrace_loader_records_committed_total{topic="millrace.ingest"} 5x100`},
		quiet: []string{`millrace_edge_messages_accepted_total 0+1000x80 80000x20`, `millrace_loader_records_committed_total{topic="millrace.ingest"} 0+1000x80 80000x20`},
	},
	"MillraceRetries": {
		fires: []string{`millrace_loader_retries_total{operation="insert"} 0+12x100`},
		quiet: []string{`millrace_loader_retries_total{operation="insert"} 0+1x100`, `millrace_loader_retries_total{operation="commit"} 0+1x100`},
	},
	"MillraceFetchErrors": {
		fires: []string{`millrace_loader_fetch_errors_total 0+60x100`},
		quiet: []string{`millrace_loader_fetch_errors_total 0+1x100`},
	},
	"MillracePartitionsUnassigned": {
		fires: []string{`millrace_loader_partitions_assigned{instance="a"} 16x100`, `millrace_loader_partitions_assigned{instance="b"} 16x70 8x30`},
		quiet: []string{`millrace_loader_partitions_assigned{instance="a"} 16x80 24x20`, `millrace_loader_partitions_assigned{instance="b"} 16x80 8x20`},
	},
	"MillraceRecordsLost": {
		fires: []string{`millrace_loader_records_lost_total 0x85 6200x20`},
		quiet: []string{`millrace_loader_records_lost_total 6200x100`},
	},
	"MillraceDeadLetters": {
		fires: []string{`millrace_loader_dead_letters_total{reason="mapper_bug"} 0x85 1x20`},
		quiet: []string{`millrace_loader_dead_letters_total{reason="mapper_bug"} 0x40 1x60`},
	},
	"MillraceReattributionLag": {
		fires: []string{`millrace_loader_reattribution_lag_seconds 0+60x100`},
		quiet: []string{`millrace_loader_reattribution_lag_seconds 200x100`},
	},
	"MillraceDedupWindowShort": {
		fires: []string{`millrace_loader_dedup_reach_seconds{partition="0"} 86400x20 3600x80`, `millrace_loader_dedup_reach_seconds{partition="1"} 86400x100`},
		quiet: []string{`millrace_loader_dedup_reach_seconds{partition="0"} 86400x60 3600x40`},
	},
}

// hot is two minutes of lag, and the lag of three partitions in records: one, and the two others.
func hot(one, others string) []string {
	return []string{
		`millrace_loader_lag_seconds{topic="millrace.ingest",partition="0"} 120x100`,
		`millrace_loader_lag_records{topic="millrace.ingest",partition="0"} ` + one + `x100`,
		`millrace_loader_lag_records{topic="millrace.ingest",partition="1"} ` + others + `x100`,
		`millrace_loader_lag_records{topic="millrace.ingest",partition="2"} ` + others + `x100`,
		`millrace_loader_lag_records{topic="millrace.ingest",partition="3"} ` + others + `x100`,
		`millrace_loader_lag_records{topic="millrace.ingest",partition="4"} ` + others + `x100`,
	}
}

// well is a healthy system: no alert may fire.
var well = []string{
	`up{job="millrace-edge",instance="a"} 1x100`, `up{job="millrace-loader",instance="a"} 1x100`,
	`millrace_edge_requests_total{status="200",code=""} 0+1000x100`, `millrace_edge_requests_total{status="503",code="not_acknowledged"} 0x100`,
	`millrace_edge_messages_accepted_total 0+1000x100`, `millrace_loader_records_committed_total{topic="millrace.ingest"} 0+1000x100`,
	`millrace_edge_registry_age_seconds{instance="a"} 0.1x100`,
	`millrace_edge_in_flight_bytes{instance="a"} 1000x100`, `millrace_edge_in_flight_bytes_limit{instance="a"} 134217728x100`,
	`millrace_loader_lag_seconds{topic="millrace.ingest",partition="0"} 1x100`, `millrace_loader_lag_records{topic="millrace.ingest",partition="0"} 50x100`,
	`millrace_loader_partitions_assigned{instance="a"} 32x100`, `millrace_loader_dedup_reach_seconds{partition="0"} 86400x100`,
	`millrace_loader_reattribution_lag_seconds 0x100`,
}

func TestAlerts_FireOnlyWhenTheyShould(t *testing.T) {
	rules := alerts(t)
	for name, rule := range rules {
		require.Contains(t, cases, name, "an alert without a test")
		require.NotEmpty(t, firing(t, rule, parse(t, cases[name].fires...), at), "%s does not fire", name)
		require.Empty(t, firing(t, rule, parse(t, cases[name].quiet...), at), "%s fires", name)
		require.Empty(t, firing(t, rule, parse(t, well...), at), "%s fires on a good day", name)
	}
	require.Len(t, cases, len(rules))
}

// first are series without any samples before the first occurrence, as in a new installation.
var first = map[string][]string{
	"MillraceNothingStored": {`millrace_edge_messages_accepted_total 0+1000x100`},
	"MillraceDeadLetters":   {`millrace_loader_dead_letters_total{reason="mapper_bug"} _x85 1x20`},
}

func TestAlerts_FirstOccurrence_Fires(t *testing.T) {
	rules := alerts(t)
	for name, series := range first {
		require.NotEmpty(t, firing(t, rules[name], parse(t, series...), at), "%s does not fire", name)
	}
	later := parse(t, `millrace_loader_dead_letters_total{reason="mapper_bug"} _x40 1x60`)
	require.Empty(t, firing(t, rules["MillraceDeadLetters"], later, at), "the first dead letter was 50 minutes ago")
}

func TestAlerts_UseExistingMetrics(t *testing.T) {
	for name, rule := range alerts(t) {
		require.NotZero(t, asks(t, rule.Expr), name)
		require.Contains(t, []string{"critical", "warning", "info"}, rule.Labels["severity"], name)
		require.NotEmpty(t, rule.Annotations["summary"], name)
	}
	for name, c := range cases {
		for _, line := range append(c.fires, c.quiet...) {
			metric, _, err := promqlParser.ParseSeriesDesc(line)
			require.NoError(t, err, line)
			require.Contains(t, metrics(t), metric.Get(model.MetricNameLabel), "the series of %s", name)
		}
	}
}

// Each alert has its section in the runbook, and each section its alert.
func TestRunbook_HasASectionForEachAlert(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "runbook.md"))
	require.NoError(t, err)
	chapters := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^### (Millrace\w+)$`).FindAllStringSubmatch(string(page), -1) {
		chapters[found[1]] = true
	}
	rules := alerts(t)
	for name, rule := range rules {
		require.True(t, chapters[name], "%s is not in the runbook", name)
		require.True(t, strings.HasSuffix(rule.Annotations["runbook_url"], "/docs/runbook.md#"+strings.ToLower(name)), name)
	}
	require.Len(t, chapters, len(rules))
}
