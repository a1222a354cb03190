package e2e

import (
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/millrace/millrace/test/env"
)

// collected is what a collector of traces was sent.
type collected struct {
	*httptest.Server
	mu    sync.Mutex
	bytes []byte
	spans []*traces.Span
	from  map[*traces.Span]string // the service
}

// collect takes traces as a collector does.
func collect(t testing.TB) *collected {
	t.Helper()
	c := &collected{from: map[*traces.Span]string{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes = append(c.bytes, body...)
	for _, of := range sent.ResourceSpans {
		service := ""
		for _, a := range of.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range of.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans, c.from[span] = append(c.spans, span), service
			}
		}
	}
}

func (c *collected) everything() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.bytes)
}

// tree has each span of a trace as its service and name, behind those of its parents. A parent that was not sent is its id.
func (c *collected) tree(traceID string) (paths []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	byID := map[string]*traces.Span{}
	for _, span := range c.spans {
		byID[string(span.SpanId)] = span
	}
	var path func(span *traces.Span) string
	path = func(span *traces.Span) string {
		before := hex.EncodeToString(span.ParentSpanId)
		if parent := byID[string(span.ParentSpanId)]; parent != nil {
			before = path(parent)
		}
		return before + " > " + c.from[span] + " " + span.Name
	}
	for _, span := range c.spans {
		if hex.EncodeToString(span.TraceId) == traceID {
			paths = append(paths, path(span))
		}
	}
	return paths
}

// One request is one trace, from its sender's own through Kafka into ClickHouse. A second request of the same block has that
// it was loaded in its own trace. Nothing is told where traces are off.
func TestTraces_Request_IsOneTrace(t *testing.T) {
	env.KfakeOnly(t)
	broker, db := env.Broker(t), env.ClickHouse(t)
	clickhouse := []string{"--clickhouse", db.Addr(), "--database", db.Name}
	_, errs, err := run(t, nil, "millrace", append([]string{"migrate"}, clickhouse...)...)
	require.NoError(t, err, errs)
	on, off := collect(t), collect(t)
	traced := []string{"--brokers", broker.Addr(), "--trace-sample", "1", "--trace-endpoint", on.URL}
	edge := startServer(t, "edge", append(traced, "--http", "127.0.0.1:0")...)
	silent := startServer(t, "edge", "--brokers", broker.Addr(), "--http", "127.0.0.1:0", "--trace-endpoint", off.URL)
	edge.awaitReady()
	silent.awaitReady()
	made := admin(t, broker.Addr(), "create", "--product", "p", "--public-url", edge.http)
	const first, second, sampled = "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c", "-b7ad6b7169203331-01"
	for _, id := range []string{first, second} {
		status, answer := post(t, made.URL, "["+sample+",5]", "traceparent", "00-"+id+sampled)
		require.Equal(t, 200, status, answer)
	}
	status, _ := post(t, silent.http+"/v1/segment/"+made.Token, sample, "traceparent", "00-2af7651916cd43dd8448eb211c80319c"+sampled)
	require.Equal(t, 200, status)

	loader := startServer(t, "loader", append(traced, clickhouse...)...) // both are in its first block
	require.Eventually(t, func() bool { return db.Exec(t, "SELECT count() FROM dead_letters FORMAT TSV") == "2" }, patience, poll)
	require.Eventually(t, func() bool { return db.Exec(t, "SELECT count() FROM outcomes FORMAT TSV") == "1" }, patience, poll)
	for _, s := range []*server{edge, silent, loader} {
		require.NoError(t, s.stop())
	}
	request := "b7ad6b7169203331 > millrace-edge POST /v1/segment/{token}"
	block := request + " > millrace-edge produce > millrace-loader load block"
	want := []string{request, request + " > millrace-edge receive", request + " > millrace-edge produce", block, block}
	for _, stage := range []string{"map", "supersede", "deduplicate", "attribute", "prepare", "insert", "dead_letters", "commit"} {
		want = append(want, block+" > millrace-loader "+stage, block+" > millrace-loader "+stage) // of the event's block, and of the dead letter's
	}
	require.ElementsMatch(t, want, on.tree(first))
	load := request + " > millrace-edge produce > millrace-loader load"
	require.ElementsMatch(t, append(want[:3:3], load, load), on.tree(second))
	ids := map[string]bool{}
	for _, span := range on.spans {
		ids[hex.EncodeToString(span.TraceId)] = true
		if span.Name == "load block" {
			require.Len(t, span.Links, 1)
			require.Equal(t, second, hex.EncodeToString(span.Links[0].TraceId))
		}
	}
	require.ElementsMatch(t, []string{first, second}, slices.Collect(maps.Keys(ids)))
	require.Empty(t, off.everything())
}
