package edge

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/token"
	"github.com/millrace/millrace/test/env"
)

func TestConfig_DefaultsMatchTheContract(t *testing.T) {
	c := testConfig(t)
	require.NoError(t, c.Validate())
	require.Equal(t, 8<<20, c.MaxBodyBytes)
	require.Equal(t, payload.DefaultLimits, c.payloadLimits())
}

func TestConfigLimits(t *testing.T) {
	for want, edit := range map[string]func(*Config){
		"--max-body-bytes is too small":                        func(c *Config) { c.MaxBodyBytes = 1023 },
		"--max-body-bytes is 16777216, but a dead letter":      func(c *Config) { c.MaxBodyBytes = 16 << 20; c.MaxInFlightBytes = 1 << 30 },
		"--max-messages is too small":                          func(c *Config) { c.MaxMessages = 0 },
		"--max-message-bytes is too small":                     func(c *Config) { c.MaxMessageBytes = 1 },
		"--max-message-bytes and --max-context-bytes together": func(c *Config) { c.MaxMessageBytes = 1_000_000 },
		"--max-context-bytes is too small":                     func(c *Config) { c.MaxContextBytes = -1 },
		"--max-depth is too small":                             func(c *Config) { c.MaxDepth = 2 },
		"--max-in-flight-bytes must be at least twice":         func(c *Config) { c.MaxInFlightBytes = 16<<20 - 1 },
		"--max-in-flight-requests is too small":                func(c *Config) { c.MaxInFlightRequests = 0 },
		"--max-connections is too small":                       func(c *Config) { c.MaxConnections = 0 },
		"--max-header-bytes is too small":                      func(c *Config) { c.MaxHeaderBytes = 100 },
		"--read-timeout is too small":                          func(c *Config) { c.ReadTimeout = 0 },
		"--write-timeout is too small":                         func(c *Config) { c.WriteTimeout = 0 },
		"--idle-timeout is too small":                          func(c *Config) { c.IdleTimeout = 0 },
		"--retry-after is too small":                           func(c *Config) { c.RetryAfter = time.Millisecond },
		"--drain-timeout is too small":                         func(c *Config) { c.DrainTimeout = 0 },
		"--http must name an address":                          func(c *Config) { c.HTTP = "" },
		"--produce-timeout is 0s, but must be at least 1s":     func(c *Config) { c.Producer.ProduceTimeout = 0 },
	} {
		c := testConfig(t, edit)
		require.ErrorContains(t, c.Validate(), want)
		_, err := New(c, Deps{})
		require.ErrorContains(t, err, want)
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = New(testConfig(t, func(c *Config) { c.HTTP = l.Addr().String() }), Deps{})
	require.ErrorContains(t, err, "choose another address with --http")
}

// Without a broker the edge says that it is not ready and what can be said without one; when the broker
// comes, it goes to work.
func TestStartsBeforeItsBroker(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	r := startOn(t, addr, nil)
	require.ErrorContains(t, unmet(r.health), "has not been confirmed current")
	valid := "/v1/segment/" + r.key.Mint(token.NewConnectionID()).Reveal()
	requireAnswer(t, r.post(valid, track), 500, saysUnavailable)
	requireAnswer(t, r.post(valid+"x", track), 401, saysUnauthorized)
	requireAnswer(t, r.post("/", track), 404, saysNotFound)

	broker, err := embedded.StartBroker(embedded.BrokerConfig{Addr: addr})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	r.awaitReady()
	requireAnswer(t, r.post(valid, track), 401, saysUnauthorized)
	s := r.create(connection.CreateParams{})
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	require.NoError(t, r.end())
}

// unmet is the edge's own condition.
func unmet(health *telemetry.Health) error {
	if reason, ok := health.Unmet()["edge"]; ok {
		return errorText(reason)
	}
	return nil
}

type errorText string

func (e errorText) Error() string { return string(e) }

// The lease: what has not been confirmed for a second is not trusted, and nothing is said about any
// connection meanwhile.
func TestStaleRegistry(t *testing.T) {
	t.Parallel()
	r, broker := start(t)
	s := r.create(connection.CreateParams{})
	paused := r.paused(connection.CreateParams{})
	unknown := "/v1/segment/" + r.key.Mint(token.NewConnectionID()).Reveal()
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	requireAnswer(t, r.post(paused.path(), track), 204, "")

	f := failRequests(broker, kmsg.ListOffsets, func(*kmsg.ListOffsetsRequest) bool { return true },
		func(*kmsg.ListOffsetsRequest) (kmsg.Response, error) { return nil, errFault })
	require.Eventually(t, func() bool { return unmet(r.health) != nil }, patience, poll)
	require.Positive(t, f.hits.Load())
	for _, path := range []string{s.path(), paused.path(), unknown} {
		requireAnswer(t, r.post(path, track), 500, saysUnavailable)
	}
	requireAnswer(t, r.post("/v1/segment/canary", track), 401, saysUnauthorized)
	f.mend()
	r.awaitReady()
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	requireAnswer(t, r.post(unknown, track), 401, saysUnauthorized)
	r.requireMetric(`requests_total{code="registry_unavailable",status="500"}`, "3")
	require.Len(t, r.records(ingest), 2)
}

func TestUnsuitableTopic_EndsTheEdge(t *testing.T) {
	broker := env.Broker(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr()))
	require.NoError(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(context.Background(), 2, 1, nil, registry)
	require.NoError(t, err)
	r := startOn(t, broker.Addr(), nil)
	require.ErrorContains(t, <-r.ended, "has 2 partitions, but a registry must have one")
	r.ended <- nil
	require.ErrorContains(t, unmet(r.health), "shutting down")
	_, err = net.Dial("tcp", r.addr())
	require.Error(t, err)
}

func TestRun_ContextAlreadyDone_Ends(t *testing.T) {
	r := startOn(t, freeAddr(t), nil)
	require.NoError(t, r.end())

	streams := stream.Config{Brokers: []string{freeAddr(t)}}
	require.NoError(t, kong.ApplyDefaults(&streams))
	client, err := stream.NewClient(streams, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	defer client.Close()
	s, err := New(testConfig(t), Deps{Stream: client, Key: token.NewKey(), Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Health: &telemetry.Health{}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, s.Run(ctx))
}

func TestDrain(t *testing.T) {
	r, broker := start(t)
	s := r.create(connection.CreateParams{})
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0)) // its connection is idle from now on
	waiting, release := r.holdProduce(broker)
	answers := make(chan answer, 1)
	go func() { answers <- r.post(s.path(), track) }()
	require.Eventually(t, func() bool { return waiting.Load() > 0 }, patience, poll)

	r.cancel()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", r.addr())
		if err != nil {
			return true
		}
		c.Close()
		// Whoever was let in could see that the edge is, or still was, ready.
		return false
	}, patience, poll)
	require.ErrorContains(t, unmet(r.health), "shutting down")
	select {
	case err := <-r.ended:
		t.Fatalf("Run returned %v with a request under way", err)
	case got := <-answers:
		t.Fatalf("answered %d before the acknowledgement", got.status)
	default:
	}
	release()
	got := <-answers
	requireAnswer(t, got, 200, accepted(1, 1, 0))
	require.True(t, got.closes)
	require.NoError(t, r.end())
	require.Len(t, r.records(ingest), 2)
	r.requireNothingHeld()
	require.Contains(t, r.written(), "activity/"+s.ID) // was flushed
	require.NotContains(t, r.logs.String(), "still under way")
}

// A drain ends, whatever is still under way.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	r, broker := start(t, func(c *Config) { c.DrainTimeout = time.Second })
	s := r.create(connection.CreateParams{})
	waiting, release := r.holdProduce(broker)
	answers := make(chan answer, 1)
	go func() { answers <- r.post(s.path(), track) }()
	require.Eventually(t, func() bool { return waiting.Load() > 0 }, patience, poll)
	r.cancel()
	requireAnswer(t, <-answers, 503, saysNotDurable)
	require.NoError(t, r.end())
	require.Contains(t, r.logs.String(), "some requests were still in flight")
	release()
}

// Another edge proves a token, this one finds that in Redis.
func TestProofsAreShared(t *testing.T) {
	broker := env.Broker(t)
	memos, err := connection.NewRedisProofs(connection.RedisConfig{Redis: "redis://" + env.Redis(t).Addr()})
	require.NoError(t, err)
	t.Cleanup(func() { memos.Close() })
	r := startOn(t, broker.Addr(), memos)
	r.awaitReady()
	s := r.create(connection.CreateParams{Secret: token.NewSecret("canary of a secret")})
	for range 3 {
		requireAnswer(t, r.post(s.path(), track, "X-Greenflash-Secret", "canary of a secret"), 200, accepted(1, 1, 0))
	}
	require.Contains(t, r.exposition(), "millrace_connection_scrypt_runs_total 2\n") // token and secret, once
	memo, err := memos.Get(context.Background(), s.ID)
	require.NoError(t, err)
	require.NotEmpty(t, memo)
	r.requireNoSecrets(r.written() + string(memo))
}

func TestPanicIsAnAnswer(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	h := r.service.handler
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	for name, harm := range map[string]func() (heal func()){
		"before the body": func() func() {
			verifier := h.verifier
			h.verifier = nil
			return func() { h.verifier = verifier }
		},
		"with the body in hand": func() func() {
			h.webhook.payloads = sync.Pool{New: func() any { return (*payload.Payload)(nil) }}
			return func() { h.webhook.payloads = sync.Pool{} }
		},
		"before the records": func() func() {
			producer := h.producer
			h.producer = nil
			return func() { h.producer = producer }
		},
	} {
		t.Run(name, func(t *testing.T) {
			heal := harm()
			defer heal()
			got := r.post(s.path(), `{"type":"page","name":"canary of a body"}`)
			requireAnswer(t, got, http.StatusInternalServerError, saysInternal)
			require.True(t, got.closes)
			r.requireNothingHeld()
			heal()
			requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
		})
	}
	r.requireMetric("panics_total", "3")
	r.requireMetric(`requests_total{code="internal_error",status="500"}`, "3")
	require.Equal(t, 3, strings.Count(r.logs.String(), "BUG: panic while serving a request"))
	require.Contains(t, r.logs.String(), "nil pointer dereference")
	require.NotContains(t, r.logs.String(), "canary")
}
