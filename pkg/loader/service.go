package loader

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Deps is what the loader shares with the rest of its process.
type Deps struct {
	Stream  *stream.Client
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Health  *telemetry.Health
}

// Service is a loader.
type Service struct {
	config   Config
	deps     Deps
	consumer *stream.Consumer
	producer *stream.Producer // for dead letters
	inserter *warehouse.Inserter
	budget   *budget
	metrics  *metrics

	mu     sync.Mutex
	lanes  map[stream.Partition]*lane
	joined atomic.Bool

	failed chan error
}

var errPanic = errors.New("a bug ended a lane; see the log")

// deadLetterProducer: dead letters are rare, and the commit waits for them.
var deadLetterProducer = stream.ProducerConfig{ProduceTimeout: retryMost * 2, MaxBufferedSize: 64 << 20, Compression: "lz4"}

// New builds a loader; Run joins the group.
func New(config Config, deps Deps) (*Service, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	producer, err := deps.Stream.NewProducer("loader", deadLetterProducer)
	if err != nil {
		return nil, err
	}
	inserter, err := warehouse.NewInserter(config.Warehouse)
	if err != nil {
		return nil, err
	}
	s := &Service{config: config, deps: deps, producer: producer, inserter: inserter, budget: newBudget(config.MaxHeldBytes),
		lanes: map[stream.Partition]*lane{}, failed: make(chan error, 1)}
	s.metrics = newMetrics(deps.Metrics, s.budget)
	deps.Health.Require("loader", func() error {
		if !s.joined.Load() {
			return errors.New("the consumer group has not assigned partitions yet")
		}
		return nil
	})
	return s, nil
}

// newFiller makes what turns a partition's records into rows.
func (s *Service) newFiller(p stream.Partition) filler {
	if p.Topic == s.deps.Stream.Topics().DeadLetters {
		return newLetters(p)
	}
	return newEvents(p, s.metrics.countMalformed)
}

// Run loads until ctx ends, and then gives its partitions up: what is in a block is inserted and
// committed, the rest stays in the log.
func (s *Service) Run(ctx context.Context) error {
	if err := s.deps.Stream.AwaitTopics(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	topics := s.deps.Stream.Topics()
	// Lanes are opened from the consumer's own goroutine, so they may come before NewConsumer returns;
	// they need the consumer only for batches, and those come from read.
	consumer, err := s.deps.Stream.NewConsumer(s.config.Consumer, s, topics.Ingest, topics.DeadLetters)
	if err != nil {
		return err
	}
	s.consumer = consumer
	ctx, stop := context.WithCancelCause(ctx)
	var wait sync.WaitGroup
	wait.Go(func() { s.read(ctx) })
	select {
	case <-ctx.Done():
	case err = <-s.failed:
	}
	stop(err)
	wait.Wait()
	consumer.Close()
	_ = s.producer.Close(context.Background()) // the lanes have waited for all they wrote
	s.inserter.Close()
	return err
}

// fail ends Run with an error; the first one counts.
func (s *Service) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}
