package loader

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/warehouse"
	"github.com/millrace/millrace/test/env"
)

func TestMain(m *testing.M) {
	if setting := os.Getenv(childSetting); setting != "" {
		runChild(setting)
	}
	env.Main(m)
}

// kfakeOnly marks a test that injects faults into the broker, needs several brokers, or takes minutes to test what does
// not depend on the broker: the contents of a block, ClickHouse, or attribution.
func kfakeOnly(t *testing.T) {
	t.Helper()
	env.KfakeOnly(t)
}

// settling is long enough for what a test inserts, and shorter than what a production's inserts may take.
const settling = 6 * time.Second

// world is the environment of a loader: a broker, a database and their clients.
type world struct {
	broker *embedded.Broker
	db     env.Database
	stream stream.Config
	config Config // what loaders are started with
	client *stream.Client
	kafka  *kgo.Client // of another program
	admin  *kadm.Client
	users  int // of produce's events
	of     int // the users are drawn from this many; 0 if from users alone
	salts  int // partitions per product; one if 0
}

func newWorld(t testing.TB, partitions int32) *world {
	t.Helper()
	w := &world{broker: env.Broker(t), db: env.ClickHouse(t), users: someUsers}
	w.stream = stream.Config{Brokers: []string{w.broker.Addr()}}
	require.NoError(t, kong.ApplyDefaults(&w.stream))
	w.stream.Partitions, w.stream.Replication = partitions, 1
	require.NoError(t, kong.ApplyDefaults(&w.config))
	w.config.BlockLinger = 20 * time.Millisecond
	w.config.Warehouse.VisibilityDelay = settling
	w.config.Warehouse.ClickHouse, w.config.Warehouse.Database = w.db.Addr(), w.db.Name
	w.config.Consumer.SessionTimeout = 6 * time.Second
	w.config.StopTimeout = 2 * time.Second

	var err error
	w.client, err = stream.NewClient(w.stream, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(w.client.Close)
	require.NoError(t, w.client.EnsureTopics(t.Context()))
	w.kafka, err = kgo.NewClient(kgo.SeedBrokers(w.broker.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(w.kafka.Close)
	w.admin = kadm.NewClient(w.kafka)
	_, err = warehouse.Migrate(t.Context(), w.config.Warehouse)
	require.NoError(t, err)
	return w
}

// logbook collects a log; tests may read it while it is written.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// running is a loader under test.
type running struct {
	*Service
	log      *logbook
	registry *prometheus.Registry
	health   *telemetry.Health
	cancel   context.CancelFunc
	done     chan struct{}
	err      error
}

func (w *world) prepare(t testing.TB) *running {
	t.Helper()
	r := &running{log: &logbook{}, registry: prometheus.NewRegistry(), health: &telemetry.Health{}, done: make(chan struct{})}
	log := slog.New(slog.NewTextHandler(r.log, nil))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	client, err := stream.NewClient(w.stream, log, r.registry)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	r.Service, err = New(w.config, Deps{Stream: client, Log: log, Metrics: r.registry, Health: r.health})
	require.NoError(t, err)
	return r
}

func (r *running) start(t testing.TB) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		r.err = r.Run(ctx)
	}()
	t.Cleanup(func() { r.cancel(); <-r.done })
	return r
}

func (w *world) load(t testing.TB) *running { return w.prepare(t).start(t) }

// stop ends the loader as a signal does. All buffered bytes must be released.
func (r *running) stop(t testing.TB) {
	t.Helper()
	r.cancel()
	<-r.done
	require.NoError(t, r.err)
	require.Zero(t, r.memory.bufferedBytes.Load(), "bytes that are still buffered")
}

// value returns the sum of a metric over all series with a label that contains what.
func (r *running) value(t testing.TB, name, what string) (sum float64) {
	t.Helper()
	families, err := r.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, m := range family.Metric {
			if family.GetName() == name && strings.Contains(m.String(), what) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// produce sends numbered events of several products, as the edge does.
func (w *world) produce(t testing.TB, from, to, products int) {
	t.Helper()
	var config stream.ProducerConfig
	require.NoError(t, kong.ApplyDefaults(&config))
	config.Compression = "none" // so that limits on fetched bytes are exact
	p, err := w.client.NewProducer(fmt.Sprintf("test%d", from), config)
	require.NoError(t, err)
	defer p.Close(context.Background())
	for from < to {
		n := min(10_000, to-from)
		out := p.NewRequest(n, nil)
		for i := from; i < from+n; i++ {
			source := &stream.Source{Workspace: "w", Product: fmt.Sprintf("product-%d", i%products), Connection: "c", Provider: "segment"}
			out.AddMessage(stream.KindEvent, source, time.Now().UnixMicro(), realisticOf(i, w.user(i)), nil)
		}
		require.NoError(t, out.Send(t.Context()))
		from += n
	}
}

// user returns the number of the user of event i.
func (w *world) user(i int) int {
	if w.of == 0 {
		return i % w.users
	}
	return i % w.users * 7919 % w.of // a prime, so that users stay distinct
}

// realistic is a finished order as Segment's webhooks send it, 750 bytes.
func realistic(i int) []byte { return realisticOf(i, i%someUsers) }

const someUsers = 10_000

func realisticOf(i, user int) []byte {
	at := time.Date(2026, 5, 18, 12, 0, 0, i%1000*1_000_000, time.UTC).Add(time.Duration(i) * time.Second)
	return fmt.Appendf(nil, `{"type":"track","event":"Order Completed","userId":"user_%d","messageId":"ajs-next-1747562400000-9d7f2c3e-%08d","timestamp":"%s","sentAt":"2026-05-18T12:00:00.100Z","context":{"ip":"203.0.113.7","userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36","library":{"name":"analytics.js","version":"2.1.0"},"page":{"path":"/checkout","title":"Checkout","url":"https://shop.example.com/checkout"},"traits":{"email":"ada%d@example.com","name":"Ada Lovelace"},"groupId":"org_%d"},"properties":{"revenue":%d.50,"currency":"USD","plan":"pro","products":[{"sku":"A-%d","price":19.5,"quantity":2},{"sku":"B-2","price":10}]}}`,
		user, i, at.Format("2006-01-02T15:04:05.000Z"), user, i%100, i%200, i)
}

// size returns the buffered bytes of an event, if there is one product.
func size(i int) int64 {
	const key, names, values = len("w\x00product-0"), len("kind" + "workspace" + "connection" + "provider" + "received_at"), len("event"+"w"+"c"+"segment") + 8
	return int64(key + names + values + len(realistic(i)))
}

func sizes(first, end int) (n int64) {
	for i := first; i < end; i++ {
		n += size(i)
	}
	return n
}

func (w *world) ingest(id int32) stream.Partition {
	return stream.Partition{Topic: w.client.Topics().Ingest, ID: id}
}

// lag returns the number of uncommitted records of both topics.
func (w *world) lag(t testing.TB) (lag int64) {
	t.Helper()
	topics := w.client.Topics()
	ends, err := w.admin.ListEndOffsets(t.Context(), topics.Ingest, topics.DeadLetters)
	require.NoError(t, err)
	committed, err := w.admin.FetchOffsets(t.Context(), w.config.Consumer.Group)
	if !errors.Is(err, kerr.GroupIDNotFound) { // no member has joined yet
		require.NoError(t, err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		require.NoError(t, end.Err)
		lag += end.Offset
		if at, ok := committed.Lookup(end.Topic, end.Partition); ok {
			lag -= at.At
		}
	})
	return lag
}

func (w *world) caughtUp(t testing.TB) {
	t.Helper()
	eventually(t, func() bool { return w.lag(t) == 0 }, "all records are committed")
}

// outcomes requires that each of n events is stored once.
func (w *world) outcomes(t testing.TB, n int) {
	t.Helper()
	require.Equal(t, fmt.Sprintf("%d\t%d", n, n), w.db.Exec(t, "SELECT count(), uniqExact(insert_id) FROM outcomes"))
}

func (w *world) rows(t testing.TB) string { return w.db.Exec(t, "SELECT count() FROM events") }

// foreign produces records as another program may.
func (w *world) foreign(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	for _, r := range records {
		if r.Topic == "" {
			r.Topic = w.client.Topics().Ingest
		}
	}
	require.NoError(t, w.kafka.ProduceSync(t.Context(), records...).FirstErr())
}

func eventually(t testing.TB, met func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "never: "+what)
	}
}

// childSetting makes this binary run a loader that a test can kill.
const childSetting = "LOADER_TEST_CHILD"

type childConfig struct {
	Stream stream.Config
	Loader Config
}

// child starts a loader in a process of its own.
func (w *world) child(t testing.TB) *exec.Cmd {
	t.Helper()
	setting, err := json.Marshal(childConfig{w.stream, w.config})
	require.NoError(t, err)
	binary, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), childSetting+"="+string(setting))
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have been killed before
		_ = cmd.Wait()
	})
	return cmd
}

func runChild(setting string) {
	var c childConfig
	if err := json.Unmarshal([]byte(setting), &c); err != nil {
		panic(err)
	}
	debug.SetGCPercent(50) // as cmd/loader does
	debug.SetMemoryLimit(360 << 20)
	log := slog.New(slog.DiscardHandler)
	client, err := stream.NewClient(c.Stream, log, prometheus.NewRegistry())
	if err != nil {
		panic(err)
	}
	s, err := New(c.Loader, Deps{Stream: client, Log: log, Metrics: prometheus.NewRegistry(), Health: &telemetry.Health{}})
	if err != nil {
		panic(err)
	}
	panic(s.Run(context.Background()))
}
