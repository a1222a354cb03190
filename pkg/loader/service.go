package loader

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sethvargo/go-retry"

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
	Tracer  *tracing.Tracer // nil: no traces
}

// Service is a loader.
type Service struct{ *reader }

// deadLetterProducer has low limits: dead letters are rare, and the commit waits for them.
var deadLetterProducer = stream.ProducerConfig{
	ProduceTimeout: retryMaxDelay * 2, MaxProduceBufferBytes: 64 << 20, Compression: "lz4",
}

// New builds a loader; Run joins the consumer group. Its errors are of the configuration.
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
	s := &shared{
		config: config, deps: deps, producer: producer, inserter: lookup.Inserter(), lookup: lookup,
		memory: newMemoryLimit(config.MaxBufferedBytes),
	}
	s.metrics, s.attribution = newMetrics(deps.Metrics, s.memory), newAttribution(s)
	s.newRowBuilder = s.rowBuilderFor
	r := newReader(s)
	deps.Metrics.MustRegister(newPartitionMetrics(r))
	deps.Health.Require("loader", func() error {
		if !r.joined.Load() {
			return errors.New("the consumer group has not assigned partitions yet")
		}
		return nil
	})
	return &Service{r}, nil
}

func (s *shared) rowBuilderFor(p stream.Partition) rowBuilder {
	if p.Topic == s.deps.Stream.Topics().DeadLetters {
		return newDeadLetterBuilder(p)
	}
	return newEventBuilder(p, s.metrics.countIgnored)
}

// Run loads until ctx ends. Then it inserts and commits the present batches and gives its partitions up; other records
// stay in the log. It may be called once.
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
		if !errors.Is(err, stream.ErrFenced) || errors.Is(err, stream.ErrInstanceIDTaken) && lost.tooOften(time.Now()) {
			return err
		}
		s.deps.Log.Warn("the consumer group has moved on without this loader, which joins it again", "error", err)
	}
}

// awaitShards waits until ClickHouse tells the shards of the cluster. It returns an error if they are not those that
// the stored rows are distributed over: new rows would be inserted where queries do not look.
func (s *Service) awaitShards(ctx context.Context) error {
	backoff := retry.WithCappedDuration(retryMaxDelay, retry.NewExponential(retryMinDelay))
	err := retry.Do(ctx, backoff, func(ctx context.Context) error {
		err := s.lookup.FindShards(ctx)
		if err == nil || warehouse.ShardsChanged(err) {
			return err
		}
		s.deps.Log.Warn("cannot find ClickHouse's shards, retrying", "error", err)
		return retry.RetryableError(err)
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// unpackedShare is the part of the memory limit that fetches may add to it: fetching pauses at the limit, but a fetch
// may be under way, and its size before it is unpacked says little.
const unpackedShare = 4

// load is one membership of the consumer group: until ctx ends, a worker fails, or the group moves on.
func (s *Service) load(ctx context.Context) error {
	member, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s.setMembership(nil, fail)
	s.joined.Store(false)
	topics := s.deps.Stream.Topics()
	// The consumer's goroutine may start workers before NewConsumer returns. They do not use the consumer before read
	// has fetched records for them.
	config := s.config.Consumer
	config.MaxUnpackedBytes = s.config.MaxBufferedBytes / unpackedShare
	consumer, err := s.deps.Stream.NewConsumer(config, s, topics.Ingest, topics.DeadLetters)
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

// leave gives all partitions up and leaves the group. The workers are stopped first: the group lets no member leave
// during a rebalance, and the brokers may be unreachable.
func (s *Service) leave(c *stream.Consumer) {
	s.revokeAll()
	ctx, cancel := context.WithTimeout(context.Background(), s.config.StopTimeout)
	defer cancel()
	c.Close(ctx)
}

// nameLosses are the times of the last losses of the instance id. Two loaders with the same id take it from each other
// again and again, so one of them has to end.
type nameLosses [3]time.Time

const nameLossWindow = time.Minute

// tooOften adds a loss. It returns whether all remembered losses are within nameLossWindow.
func (n *nameLosses) tooOften(now time.Time) bool {
	copy(n[:], n[1:])
	n[len(n)-1] = now
	return now.Sub(n[0]) < nameLossWindow
}

func (s *Service) close() {
	// The workers have written their dead letters; the producer holds only those that they gave up.
	ctx, cancel := context.WithTimeout(context.Background(), s.config.StopTimeout)
	defer cancel()
	if err := s.producer.Close(ctx); err != nil {
		s.deps.Log.Warn("some dead letters were not acknowledged; they will be written again", "error", err)
	}
	s.inserter.Close()
	s.lookup.Close()
}
