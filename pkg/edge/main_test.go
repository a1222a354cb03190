package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/token"
	"github.com/millrace/millrace/test/env"
)

func TestMain(m *testing.M) { env.Main(m) }

const (
	patience = 20 * time.Second // for what must come, but not at a given time
	poll     = 5 * time.Millisecond

	ingest      = "millrace.ingest"
	deadLetters = "millrace.dead-letters"
	registry    = "millrace.connections"

	track = `{"type":"track","event":"Order Completed","anonymousId":"m","userId":"u"}`
)

// rig is an edge with everything around it, all of it real. At the end of its test it looks for tokens
// and secrets in all that was logged, answered, counted and written.
type rig struct {
	testing.TB
	brokers string
	client  *stream.Client
	key     token.Key
	service *Service
	store   *connection.Store
	metrics *prometheus.Registry
	health  *telemetry.Health
	http    *http.Client
	cancel  context.CancelFunc
	ended   chan error

	logs, answers journal
	secrets       []string
}

// journal collects text from many goroutines.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func testConfig(t testing.TB, edits ...func(*Config)) Config {
	t.Helper()
	var c Config
	require.NoError(t, kong.ApplyDefaults(&c))
	c.HTTP = "127.0.0.1:0"
	c.Producer.Linger = 0
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

// start runs an edge on a broker in the test's own process and waits until it is ready. It skips the test in the Apache
// Kafka run.
func start(t testing.TB, edits ...func(*Config)) (*rig, *embedded.Broker) {
	t.Helper()
	return startWith(t, env.InProcessBroker(t), edits...)
}

// startAlsoOnKafka is start for a test that the Apache Kafka run repeats on Apache Kafka.
func startAlsoOnKafka(t testing.TB, edits ...func(*Config)) *rig {
	t.Helper()
	r, _ := startWith(t, env.Broker(t), edits...)
	return r
}

func startWith(t testing.TB, broker *embedded.Broker, edits ...func(*Config)) (*rig, *embedded.Broker) {
	t.Helper()
	r := startOn(t, broker.Addr(), nil, edits...)
	r.awaitReady()
	if _, isTest := t.(*testing.T); isTest { // a benchmark writes more than one wants to read
		t.Cleanup(func() { r.requireNoSecrets(r.written()) })
	}
	return r, broker
}

// startOn runs an edge on brokers that may not be there.
func startOn(t testing.TB, brokers string, memos connection.ProofCache, edits ...func(*Config)) *rig {
	t.Helper()
	r := &rig{
		TB: t, brokers: brokers, key: token.NewKey(), metrics: prometheus.NewRegistry(), health: &telemetry.Health{},
		http:  &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}},
		ended: make(chan error, 1),
	}
	log := slog.New(slog.NewTextHandler(&r.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	streams := stream.Config{Brokers: []string{brokers}}
	require.NoError(t, kong.ApplyDefaults(&streams))
	var err error
	r.client, err = stream.NewClient(streams, log, r.metrics)
	require.NoError(t, err)
	t.Cleanup(r.client.Close)
	r.service, err = New(testConfig(t, edits...), Deps{
		Stream: r.client, Key: r.key, Proofs: memos, Log: log, Metrics: r.metrics, Health: r.health,
	})
	require.NoError(t, err)
	r.store = connection.NewStore(connection.StoreConfig{
		Key: r.key, Log: r.client.ConnectionsTopic(), Registry: r.service.registry, Cost: token.Cost{LogN: 1, R: 1, P: 1}, Settle: 1,
	})
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	go func() { r.ended <- r.service.Run(ctx) }()
	t.Cleanup(func() { r.end() })
	return r
}

// end stops the edge and returns what Run returned. Further calls do nothing.
func (r *rig) end() error {
	r.cancel()
	r.http.CloseIdleConnections()
	err, open := <-r.ended
	if open {
		close(r.ended)
	}
	return err
}

func (r *rig) awaitReady() {
	r.Helper()
	require.Eventually(r, func() bool { return len(r.health.Unmet()) == 0 }, patience, poll)
}

// sender is a connection as its sender knows it.
type sender struct {
	connection.Connection
	token, secret string
}

func (s sender) path() string { return "/v1/segment/" + s.token }

// create makes a connection that the edge knows when this returns.
func (r *rig) create(params connection.CreateParams) sender {
	r.Helper()
	if params.ProductID == "" {
		params.ProductID = "product"
	}
	created, err := r.store.Create(context.Background(), params)
	require.NoError(r, err)
	s := sender{created.Connection, created.Token.Reveal(), params.Secret.Reveal()}
	r.secrets = append(r.secrets, s.token)
	if s.secret != "" {
		r.secrets = append(r.secrets, s.secret)
	}
	r.settle()
	return s
}

// addr is host:port.
func (r *rig) addr() string { return r.service.listener.Addr().String() }

// settle waits until the edge knows all that is in the registry.
func (r *rig) settle() {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(r, r.service.registry.Await(ctx, time.Now()))
}

// paused makes a connection and pauses it.
func (r *rig) paused(params connection.CreateParams) sender {
	r.Helper()
	s := r.create(params)
	_, err := r.store.Pause(context.Background(), s.ID)
	require.NoError(r, err)
	r.settle()
	return s
}

// answer is what came back.
type answer struct {
	status int
	body   string
	header http.Header
	closes bool // the edge said that it closes the connection
}

// do sends one request. Headers are name, value, name, value.
func (r *rig) do(method, target string, body io.Reader, headers ...string) answer {
	r.Helper()
	request, err := http.NewRequest(method, r.service.URL(), body)
	require.NoError(r, err)
	path, query, _ := strings.Cut(target, "?")
	request.URL.Opaque, request.URL.RawQuery = path, query // sent as it is
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := r.http.Do(request)
	require.NoError(r, err)
	return r.read(path, response)
}

// read reads an answer, and holds it to the OpenAPI document. target is what was posted to.
func (r *rig) read(target string, response *http.Response) answer {
	r.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(r, err)
	fmt.Fprintf(&r.answers, "%s\n%v\n%s\n", response.Status, response.Header, body)
	requireDocumented(r, target, response, body)
	return answer{response.StatusCode, string(body), response.Header, response.Close}
}

func (r *rig) post(target, body string, headers ...string) answer {
	r.Helper()
	return r.do(http.MethodPost, target, strings.NewReader(body), headers...)
}

// dial opens a connection to speak HTTP by hand. It fails the test rather than hang.
func (r *rig) dial() net.Conn {
	r.Helper()
	c, err := net.Dial("tcp", r.addr())
	require.NoError(r, err)
	r.Cleanup(func() { c.Close() })
	require.NoError(r, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// raw sends text and returns all that comes until the edge closes the connection.
func (r *rig) raw(text string) string {
	r.Helper()
	c := r.dial()
	_, err := io.WriteString(c, text)
	require.NoError(r, err)
	got, err := io.ReadAll(c)
	require.NoError(r, err)
	_, _ = r.answers.Write(got)
	return string(got)
}

// records reads a topic from its beginning to its end, in the order of partitions and offsets.
func (r *rig) records(topic string) []*kgo.Record {
	r.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(r, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	require.NoError(r, err)
	var total int
	ends.Each(func(o kadm.ListedOffset) { total += int(o.Offset) })
	byPartition := map[int32][]*kgo.Record{}
	for n := 0; n < total; {
		fetches := client.PollFetches(ctx)
		require.NoError(r, ctx.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			byPartition[record.Partition] = append(byPartition[record.Partition], record)
			n++
		})
	}
	var all []*kgo.Record
	for partition := range int32(len(ends[topic])) {
		all = append(all, byPartition[partition]...)
	}
	return all
}

// topicID is what new protocol versions name a topic by.
func (r *rig) topicID(topic string) kadm.TopicID {
	r.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers))
	require.NoError(r, err)
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(context.Background(), topic)
	require.NoError(r, err)
	return topics[topic].ID
}

// freeAddr is an address that nobody listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// written is everything in all topics as one text.
func (r *rig) written() string {
	var text strings.Builder
	for _, topic := range []string{ingest, deadLetters, registry} {
		for _, record := range r.records(topic) {
			fmt.Fprintf(&text, "%s %s %s\n", record.Key, record.Value, record.Headers)
		}
	}
	return text.String()
}

// requireNoSecrets looks at all that was said, and at more.
func (r *rig) requireNoSecrets(more string) {
	r.Helper()
	counted := r.exposition()
	for _, secret := range r.secrets {
		// The random part alone would give a token away, too.
		if strings.HasPrefix(secret, "mr1_") {
			secret = strings.Split(secret, "_")[2]
		}
		for where, text := range map[string]string{"log": r.logs.String(), "answer": r.answers.String(), "metric": counted, "record": more} {
			require.False(r, strings.Contains(text, secret), "a secret is in a "+where) // quotes neither
		}
	}
}

// exposition is the metrics as a scraper sees them.
func (r *rig) exposition() string {
	families, err := r.metrics.Gather()
	require.NoError(r, err)
	var text strings.Builder
	for _, family := range families {
		_, err := expfmt.MetricFamilyToText(&text, family)
		require.NoError(r, err)
	}
	return text.String()
}

// requireMetric compares one line of the edge's metrics; want is the value as it is printed.
func (r *rig) requireMetric(series, want string) {
	r.Helper()
	r.requireMetricOf("millrace_edge_"+series, want)
}

func (r *rig) requireMetricOf(series, want string) {
	r.Helper()
	value := "none"
	for line := range strings.Lines(r.exposition()) {
		if found, ok := strings.CutPrefix(line, series+" "); ok {
			value = strings.TrimSpace(found)
		}
	}
	require.Equal(r, want, value, series)
}

// requireNothingHeld waits until all memory that was counted is given back.
func (r *rig) requireNothingHeld() {
	r.Helper()
	admit := r.service.handler.admit
	require.Eventually(r, func() bool { return admit.bytes.Load() == 0 && admit.requests.Load() == 0 }, patience, poll,
		"bytes or requests are still counted as in flight")
}

func requireAnswer(t testing.TB, got answer, status int, body string) {
	t.Helper()
	require.Equal(t, status, got.status, got.body)
	require.Equal(t, body, got.body)
	if body != "" {
		require.Equal(t, "application/json", got.header.Get("Content-Type"))
		require.True(t, json.Valid([]byte(got.body)))
	}
}

// listing is accepted with errors: each is an index and a code.
func listing(body string, errors ...any) string {
	list := `,"errors":[`
	for i := 0; i < len(errors); i += 2 {
		list += fmt.Sprintf(`{"index":%d,"code":"%s"},`, errors[i], errors[i+1])
	}
	return strings.TrimSuffix(body, "}") + strings.TrimSuffix(list, ",") + "]}"
}

func accepted(received, accepted, dropped int) string {
	return fmt.Sprintf(`{"received":%d,"accepted":%d,"dropped":%d}`, received, accepted, dropped)
}

// The bodies of all refusals, as the public contract has them.
const (
	saysNotFound     = `{"error":{"code":"not_found","message":"There is nothing at this path: post to /v1/segment/{token}, /v1/events, /v1/identify or /v1/conversations, without a trailing slash."}}`
	saysNotPost      = `{"error":{"code":"method_not_allowed","message":"Use POST."}}`
	saysUnauthorized = `{"error":{"code":"unauthorized","message":"The token or the x-greenflash-secret header is not valid: copy it again, or rotate it."}}`
	saysUnavailable  = `{"error":{"code":"registry_unavailable","message":"The connection cannot be looked up: retry."}}`
	saysOverloaded   = `{"error":{"code":"overloaded","message":"The server is overloaded: retry later."}}`
	saysTooLarge     = `{"error":{"code":"body_too_large","message":"The body is over the limit: send fewer messages per request."}}`
	saysBadEncoding  = `{"error":{"code":"unsupported_encoding","message":"The Content-Encoding must be gzip, deflate, br, zstd or identity."}}`
	saysUndecodable  = `{"error":{"code":"invalid_encoding","message":"The body does not match its Content-Encoding."}}`
	saysTruncated    = `{"error":{"code":"body_truncated","message":"The body ended before it was complete."}}`
	saysNotDurable   = `{"error":{"code":"not_acknowledged","message":"The messages could not be stored durably: retry."}}`
	saysInternal     = `{"error":{"code":"internal_error","message":"An internal error occurred: retry."}}`
	saysBadRequest   = `{"error":{"code":"bad_request","message":"The request is not valid HTTP."}}`
	saysHeaders      = `{"error":{"code":"headers_too_large","message":"The request line and headers are over the limit."}}`
	saysTooSlow      = `{"error":{"code":"request_timeout","message":"The request took too long to arrive."}}`
)
