package deploy

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart"
	chartloader "helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

var update = flag.Bool("update", false, "write what the chart renders to testdata")

// values are the required values, and all values.
var values = map[string]string{
	"least": `
kafka: {brokers: ["kafka-0.kafka:9092"]}
clickhouse: {address: "clickhouse:9000"}
tokenKeySecret: {name: millrace-token}
`,
	"most": `
image: {tag: "1.2.3"}
imagePullSecrets: [{name: registry}]
settings: {topic-prefix: events, log-level: warn}
env: [{name: MILLRACE_RETENTION, value: 336h}]
kafka: {brokers: ["kafka-0.kafka:9092", "kafka-1.kafka:9092"]}
clickhouse: {address: "clickhouse:9440", database: product, cluster: analytics, replicated: true, user: loader, tls: true, passwordSecret: {name: clickhouse}}
tokenKeySecret: {name: millrace-token, key: key}
redisURLSecret: {name: redis}
edge:
  autoscaling: {inFlightBytes: 67108864}
  service: {type: LoadBalancer, port: 443, annotations: {lb: internal}}
  settings: {max-in-flight-bytes: 268435456, tls-cert: /tls/tls.crt, tls-key: /tls/tls.key, trusted-proxies: "10.0.0.0/8"}
  volumes: [{name: tls, secret: {secretName: edge-tls}}]
  volumeMounts: [{name: tls, mountPath: /tls, readOnly: true}]
  podAnnotations: {team: events}
  nodeSelector: {pool: events}
  tolerations: [{key: events, operator: Exists}]
loader:
  autoscaling: {enabled: true, metricLabels: {app: millrace}}
  settings: {block-linger: 2s, attribution: true}
  volumes: [{name: ca, configMap: {name: ca}}]
  volumeMounts: [{name: ca, mountPath: /ca}]
  podAnnotations: {team: events}
  nodeSelector: {pool: events}
  tolerations: [{key: events, operator: Exists}]
networkPolicy:
  sendersFrom: [{ipBlock: {cidr: 10.0.0.0/8}}]
  adminFrom: [{namespaceSelector: {matchLabels: {name: monitoring}}}]
  clickhousePorts: [9440]
podMonitor: {enabled: true, labels: {release: prometheus}}
`,
	"bare": `
kafka: {brokers: ["kafka:9092"], replication: 1}
clickhouse: {address: "clickhouse:9000"}
tokenKeySecret: {name: millrace-token}
edge: {autoscaling: {enabled: false}, replicas: 1}
loader: {replicas: null}
setup: {enabled: false}
networkPolicy: {enabled: false}
podDisruptionBudget: {enabled: false}
`,
}

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	loaded, err := chartloader.Load(filepath.Join(root, "deploy", "helm", "millrace"))
	require.NoError(t, err)
	require.NoError(t, loaded.Validate())
	return loaded
}

func tryRender(t *testing.T, text string) (map[string]string, error) {
	t.Helper()
	given, err := chartutil.ReadValues([]byte(text))
	require.NoError(t, err)
	loaded := loadChart(t)
	all, err := chartutil.ToRenderValues(loaded, given, chartutil.ReleaseOptions{Name: "millrace", Namespace: "events", IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(loaded, all)
}

// render returns the output of helm template, in the order of file names.
func render(t *testing.T, text string) string {
	t.Helper()
	files, err := tryRender(t, text)
	require.NoError(t, err)
	var names []string
	for name := range files {
		if strings.HasSuffix(name, ".yaml") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out bytes.Buffer
	for _, name := range names {
		if text := strings.TrimSpace(files[name]); text != "" {
			out.WriteString("---\n# " + name + "\n" + strings.TrimPrefix(text, "---\n") + "\n")
		}
	}
	return out.String()
}

func TestChart_Rendering_EqualsTestdata(t *testing.T) {
	for name, text := range values {
		path := filepath.Join("testdata", name+".yaml")
		got := render(t, text)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), got, "%s: run the test with -update and review the changes", name)
	}
}

// Missing and unknown values are errors before the installation.
func TestChart_InvalidValues_AreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"": "brokers",
		"kafka: {brokers: [\"k:9092\"]}\ntokenKeySecret: {name: t}":                           "address",
		"kafka: {brokers: [\"k:9092\"]}\nclickhouse: {address: \"c:9000\"}":                   "tokenKeySecret",
		"kafka: {brokers: [k]}\nclickhouse: {address: \"c:9000\"}\ntokenKeySecret: {name: t}": "brokers",
		values["least"] + "tokenKey: secret":                                                  "tokenKey",
		values["least"] + "edge: {replica: 3}":                                                "replica",
		values["least"] + "loader: {settings: {BLOCK_ROWS: 1}}":                               "BLOCK_ROWS",
		values["least"] + "networkPolicy: {kafkaPorts: [\"9092\"]}":                           "kafkaPorts",
		strings.Replace(values["least"], "9000\"", "9000\", password: secret", 1):             "password",
	} {
		_, err := tryRender(t, text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestChart_Notes(t *testing.T) {
	files, err := tryRender(t, values["least"])
	require.NoError(t, err)
	require.Contains(t, files["millrace/templates/NOTES.txt"], "--brokers kafka-0.kafka:9092")
}
