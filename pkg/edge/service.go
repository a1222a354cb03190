package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/token"
)

// Deps is what the edge shares with the rest of its process.
type Deps struct {
	Stream  *stream.Client
	Key     token.Key
	Memos   connection.MemoStore // nil without Redis
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Health  *telemetry.Health
}

// Service is an edge.
type Service struct {
	config   Config
	deps     Deps
	listener net.Listener
	server   *fasthttp.Server
	handler  *handler
	registry *connection.Registry
	draining func()
}

// New builds an edge and listens; Run serves.
func New(config Config, deps Deps) (*Service, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	producer, err := deps.Stream.NewProducer("edge", config.Producer)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", config.HTTP)
	if err != nil {
		return nil, fmt.Errorf("listen for events: %w (choose another address with --http)", err)
	}
	s := &Service{config: config, deps: deps, listener: listener}
	log := deps.Stream.ConnectionsLog()
	counts := connection.NewMetrics(deps.Metrics)
	s.registry = connection.NewRegistry(log, counts)
	admit := &admission{maxBytes: config.MaxInFlightBytes, maxRequests: config.MaxInFlightRequests}
	s.handler = &handler{
		config: &s.config, limits: config.segmentLimits(), producer: producer, admit: admit,
		verifier:   connection.NewVerifier(connection.VerifierConfig{Key: deps.Key, Registry: s.registry, Metrics: counts, Memos: deps.Memos}),
		activity:   connection.NewRecorder(s.registry, log, counts),
		metrics:    newMetrics(deps.Metrics, admit),
		log:        deps.Log,
		retryAfter: strconv.Itoa(max(1, int(config.RetryAfter/time.Second))),
	}
	s.server = newServer(&s.config, s.handler)
	s.requireReadiness()
	return s, nil
}

func (s *Service) requireReadiness() {
	var once sync.Once
	stopped := make(chan struct{})
	s.draining = func() { once.Do(func() { close(stopped) }) }
	s.deps.Health.Require("edge", func() error {
		select {
		case <-stopped:
			return errors.New("shutting down")
		default:
		}
		if !s.registry.Fresh(time.Now()) {
			return errors.New("the registry of connections has not been read to its end within the last second")
		}
		return nil
	})
}

// Addr is the address that takes events.
func (s *Service) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx ends, and then drains: readiness goes first, then no new connection is taken,
// requests under way are answered, and what was written is flushed.
func (s *Service) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	wait.Go(func() { s.follow(background) })
	wait.Go(func() { s.handler.activity.Run(background) })
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.listener) }()

	var err error
	select {
	case <-ctx.Done():
		err = s.drain(served)
	case err = <-served:
		err = fmt.Errorf("serve events: %w", err)
	}
	stop()
	wait.Wait()
	return err
}

func (s *Service) follow(ctx context.Context) {
	if err := s.deps.Stream.AwaitTopics(ctx); err != nil && ctx.Err() == nil {
		s.deps.Log.Error("the topics cannot be used", "error", err)
		return
	}
	if err := s.registry.Run(ctx); err != nil && ctx.Err() == nil {
		s.deps.Log.Error("the registry of connections is not followed any more: restart the edge", "error", err)
	}
}

func (s *Service) drain(served <-chan error) error {
	s.draining()
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer cancel()
	if err := s.server.ShutdownWithContext(ctx); err != nil {
		s.deps.Log.Warn("some requests were still under way at the end of the drain", "error", err)
	}
	err := <-served
	if flushErr := s.handler.producer.Close(ctx); flushErr != nil {
		s.deps.Log.Warn("some records were still under way at the end of the drain; none of them was answered with 200", "error", flushErr)
	}
	return err
}
