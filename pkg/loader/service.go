package loader

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sethvargo/go-retry"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/tracing"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Deps is what the loader shares with the rest of its process.
type Deps struct {
	Stream  *stream.Client
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Health  *telemetry.Health
	Tracer  *tracing.Tracer // nil if nothing is traced
}

// Service is a loader.
type Service struct {
	config   Config
	deps     Deps
	consumer consumer
	producer *stream.Producer // for dead letters
	inserter inserter
	memory   *memoryLimit
	metrics  *metrics

	lookup      *warehouse.Lookup
	attribution *attribution.Service

	newRowBuilder func(stream.Partition) rowBuilder // makes what turns a partition's records into rows

	revoking sync.Mutex // held while lanes are closed

	mu          sync.Mutex // lanes; consumer and fail where lanes do not use them
	workers     map[stream.Partition]*partitionWorker
	suspensions uint64 // that have ended
	joined      atomic.Bool
	fail        context.CancelCauseFunc // ends the present membership
}

// consumer and inserter are what decides about the promises: the log's member and the table. They are interfaces so
// that a test can make every fault at every step.
type (
	consumer interface {
		Poll(ctx context.Context, take func(*stream.Batch)) error
		Pause(p stream.Partition)
		Resume(p stream.Partition)
		Prepare(ctx context.Context, p stream.Partition, first, until int64) error
		Commit(ctx context.Context, p stream.Partition, next int64) error
		Confirm(ctx context.Context, partitions []stream.Partition) error
	}
	inserter interface {
		SplitByShard(ctx context.Context, b warehouse.Block) ([]warehouse.Block, error)
		Insert(ctx context.Context, b warehouse.Block, token string) error
		InsertRows(ctx context.Context, b warehouse.Block, from, to int, token string) error
		Close()
	}
)

var errPanic = errors.New("a bug ended a lane; see the log")

// deadLetterProducer: dead letters are rare, and the commit waits for them.
var deadLetterProducer = stream.ProducerConfig{ProduceTimeout: retryMaxDelay * 2, MaxProduceBufferBytes: 64 << 20, Compression: "lz4"}

// New builds a loader; Run joins the group.
func New(config Config, deps Deps) (*Service, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	producer, err := deps.Stream.NewProducer("loader", deadLetterProducer)
	if err != nil {
		return nil, err
	}
	lookup, err := warehouse.NewLookup(config.Warehouse)
	if err != nil {
		return nil, err
	}
	s := &Service{config: config, deps: deps, producer: producer, inserter: lookup.Inserter(), memory: newMemoryLimit(config.MaxBufferedBytes),
		workers: map[stream.Partition]*partitionWorker{}}
	s.lookup = lookup
	s.newRowBuilder, s.metrics = s.rowBuilderFor, newMetrics(deps.Metrics, s.memory)
	s.attribution = attribution.New(config.attribution(deps.Stream.Topics().Ingest),
		attribution.Deps{Host: attributionHost{s}, Lookup: lookup, Log: deps.Log, Metrics: deps.Metrics})
	deps.Metrics.MustRegister(newPartitionMetrics(s))
	deps.Health.Require("loader", func() error {
		if !s.joined.Load() {
			return errors.New("the consumer group has not assigned partitions yet")
		}
		return nil
	})
	return s, nil
}

func (s *Service) rowBuilderFor(p stream.Partition) rowBuilder {
	if p.Topic == s.deps.Stream.Topics().DeadLetters {
		return newDeadLetterBuilder(p)
	}
	return newEventBuilder(p, s.metrics.countMalformed)
}

// Run loads until ctx ends, and then gives its partitions up: what is in a block is inserted and
// committed, the rest stays in the log. It is called once.
func (s *Service) Run(ctx context.Context) error {
	defer s.close()
	if err := s.deps.Stream.AwaitTopics(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := s.awaitShards(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	defer s.attribution.Start(ctx)()
	lost := nameLosses{}
	for {
		err := s.load(ctx)
		if !errors.Is(err, stream.ErrFenced) || errors.Is(err, stream.ErrNameTaken) && lost.tooOften(time.Now()) {
			return err
		}
		s.deps.Log.Warn("the consumer group has moved on without this loader, which joins it anew", "error", err)
	}
}

// awaitShards waits until a cluster says which shards it has. With others than the rows were spread over, there is nothing
// that could be written in the right place.
func (s *Service) awaitShards(ctx context.Context) error {
	backoff := retry.WithCappedDuration(retryMaxDelay, retry.NewExponential(retryMinDelay))
	err := retry.Do(ctx, backoff, func(ctx context.Context) error {
		err := s.lookup.FindShards(ctx)
		if err == nil || warehouse.ShardsChanged(err) {
			return err
		}
		s.deps.Log.Warn("cannot find ClickHouse's shards, trying again", "error", err)
		return retry.RetryableError(err)
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// nameLosses remembers when this loader lately lost its instance id. Two of one name take it from each other for ever:
// one of them has to end.
type nameLosses [3]time.Time

const nameLossWindow = time.Minute

// tooOften tells whether the loss at now is one of as many as are remembered, within nameLostWithin.
func (n *nameLosses) tooOften(now time.Time) bool {
	copy(n[:], n[1:])
	n[len(n)-1] = now
	return now.Sub(n[0]) < nameLossWindow
}

// load is one membership in the group: until ctx ends, a lane fails, or the group moves on.
func (s *Service) load(ctx context.Context) error {
	member, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s.setMembership(nil, fail)
	s.joined.Store(false)
	topics := s.deps.Stream.Topics()
	// Lanes are opened from the consumer's own goroutine, so they may come before NewConsumer returns;
	// they need the consumer only for batches, and those come from read.
	consumer, err := s.deps.Stream.NewConsumer(s.config.Consumer, s, topics.Ingest, topics.DeadLetters)
	if err != nil {
		return err
	}
	s.setMembership(consumer, fail)
	s.read(member)
	err = context.Cause(member)
	if errors.Is(err, stream.ErrFenced) {
		s.cancelWorkers()
	}
	s.leave(consumer)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

// leave gives all partitions up and leaves the group. The lanes do not wait for the group, which lets nobody go
// while it shares out partitions, and neither waits for brokers that are out of reach.
func (s *Service) leave(c *stream.Consumer) {
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.workers))
	s.mu.Unlock()
	s.Revoked(all, false)
	ctx, cancel := context.WithTimeout(context.Background(), s.config.StopTimeout)
	defer cancel()
	c.Close(ctx)
}

func (s *Service) setMembership(consumer consumer, fail context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.consumer, s.fail = consumer, fail
}

// membership is the present one, for who is no lane; nil if there is none yet.
func (s *Service) membership() (consumer, context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.consumer, s.fail
}

func (s *Service) close() {
	// The lanes have waited for all that counts; what they gave up on is not waited for.
	ctx, cancel := context.WithTimeout(context.Background(), s.config.StopTimeout)
	defer cancel()
	if err := s.producer.Close(ctx); err != nil {
		s.deps.Log.Warn("some dead letters were still under way; they will be written again", "error", err)
	}
	s.inserter.Close()
	s.lookup.Close()
}
