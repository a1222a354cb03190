package connection

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/token"
)

var cheap = token.Cost{LogN: 4, R: 8, P: 1}

// memoryTopic is a log in memory that several processes share.
type memoryTopic struct {
	mu      sync.Mutex
	records []pair
	length  atomic.Int64
	written chan struct{} // closed and replaced at each write
}

type pair struct {
	key   string
	value []byte
}

func newTopic() *memoryTopic { return &memoryTopic{written: make(chan struct{})} }

func (t *memoryTopic) read(from int) ([]pair, chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.records[from:], t.written
}

func (t *memoryTopic) append(key string, value []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.records = append(t.records, pair{key, value})
	t.length.Add(1)
	close(t.written)
	t.written = make(chan struct{})
}

// values of a key, the oldest first.
func (t *memoryTopic) values(key string) (values [][]byte) {
	records, _ := t.read(0)
	for _, p := range records {
		if p.key == key {
			values = append(values, p.value)
		}
	}
	return values
}

// memoryLog is the Log of one process. While it is cut off it reads nothing and confirms nothing.
type memoryLog struct {
	topic   *memoryTopic
	born    time.Time
	applied atomic.Int64
	current atomic.Int64 // nanoseconds after born, 0 for never
	cutOff  atomic.Bool
	broken  atomic.Bool // Append fails
}

func newLog(topic *memoryTopic) *memoryLog { return &memoryLog{topic: topic, born: time.Now().Add(-1)} }

func (l *memoryLog) Append(ctx context.Context, key string, value []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.broken.Load() {
		return errors.New("no broker")
	}
	l.topic.append(key, value)
	time.Sleep(time.Nanosecond) // the clock goes on while a broker answers, also where a test stands it still
	return nil
}

func (l *memoryLog) Follow(ctx context.Context, apply func(string, []byte)) error {
	for {
		records, written := l.topic.read(int(l.applied.Load()))
		for _, p := range records {
			apply(p.key, p.value)
			l.applied.Add(1)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-written:
		}
	}
}

// CurrentAt asks for the end of the topic on the spot.
func (l *memoryLog) CurrentAt() time.Time {
	if now := time.Since(l.born); !l.cutOff.Load() && l.applied.Load() == l.topic.length.Load() {
		l.current.Store(int64(now))
	}
	if at := l.current.Load(); at != 0 {
		return l.born.Add(time.Duration(at))
	}
	return time.Time{}
}

// expire cuts the log off and lets the lease pass.
func (l *memoryLog) expire() {
	l.cutOff.Store(true)
	l.current.Add(-int64(2 * Lease))
}

// process is one edge, or one admin tool, on a topic.
type process struct {
	key      token.Key
	log      *memoryLog
	metrics  *Metrics
	registry *Registry
	verifier *Verifier
	store    *Store
	recorder *Recorder
}

// start runs a process until the test ends.
func start(t testing.TB, topic *memoryTopic, key token.Key, memos ProofCache) *process {
	p := &process{key: key, log: newLog(topic), metrics: NewMetrics(prometheus.NewRegistry())}
	p.registry = NewRegistry(p.log, p.metrics)
	p.verifier = NewVerifier(VerifierConfig{Key: key, Registry: p.registry, Metrics: p.metrics, Proofs: memos})
	p.store = NewStore(StoreConfig{Key: key, Log: p.log, Registry: p.registry, Cost: cheap, Settle: time.Nanosecond})
	p.recorder = NewRecorder(p.registry, p.log, p.metrics)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.registry.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	p.catchUp(t)
	return p
}

func (p *process) catchUp(t testing.TB) {
	t.Helper()
	time.Sleep(time.Nanosecond) // a clock that stands still cannot tell what was written before
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, p.registry.Await(ctx, time.Now()))
}

func (p *process) create(t testing.TB, params CreateParams) Created {
	t.Helper()
	if params.ProductID == "" {
		params.ProductID = "product"
	}
	created, err := p.store.Create(context.Background(), params)
	require.NoError(t, err)
	p.catchUp(t)
	return created
}

// change writes another version of a connection, as rotate, pause and the like will.
func (p *process) change(t testing.TB, c Connection, edit func(*Connection)) {
	t.Helper()
	edit(&c)
	now, err := p.store.find(context.Background(), c.ID)
	require.NoError(t, err)
	c.Revision = now.Revision + 1
	require.NoError(t, p.store.put(context.Background(), &c))
	p.catchUp(t)
}

func (p *process) rotate(t testing.TB, c Connection) token.Secret {
	t.Helper()
	fresh := p.key.Mint(c.ID)
	p.change(t, c, func(c *Connection) {
		c.Generation++
		c.TokenHash = hashed(t, fresh.Reveal())
	})
	return fresh
}

func (p *process) verify(text token.Secret, secret string) (*Connection, error) {
	return p.verifier.Verify(context.Background(), []byte(text.Reveal()), []byte(secret))
}

func hashed(t testing.TB, text string) token.Secret {
	t.Helper()
	hash, err := cheap.Hash([]byte(text))
	require.NoError(t, err)
	return hash
}

func count(t testing.TB, counter prometheus.Counter) int {
	t.Helper()
	var m dto.Metric
	require.NoError(t, counter.Write(&m))
	return int(m.GetCounter().GetValue())
}
