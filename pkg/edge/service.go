package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/pkg/clientip"
	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/token"
	"github.com/millrace/millrace/pkg/tracing"
)

// Deps are the edge's dependencies.
type Deps struct {
	Stream  *stream.Client
	Key     token.Key
	Proofs  connection.ProofCache // nil without Redis
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Health  *telemetry.Health
	Tracer  *tracing.Tracer // nil if traces are off
}

// Service is an edge.
type Service struct {
	config   Config
	deps     Deps
	listener net.Listener // TCP, limited by address, with TLS if configured
	limit    *addressLimit
	server   *fasthttp.Server
	handler  *handler
	registry *connection.Registry
	draining func()
}

// New builds an edge and listens. Run serves.
func New(config Config, deps Deps) (*Service, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	trusted, err := config.trusted()
	if err != nil {
		return nil, err
	}
	s := &Service{config: config, deps: deps}
	if err := s.listen(trusted); err != nil {
		return nil, err
	}
	producer, err := deps.Stream.NewProducer("edge", config.Producer)
	if err != nil {
		return nil, errors.Join(err, s.listener.Close())
	}
	log := deps.Stream.ConnectionsTopic()
	counts := connection.NewMetrics(deps.Metrics)
	s.registry = connection.NewRegistry(log, counts)
	admit := &admission{maxBytes: config.MaxInFlightBytes, maxRequests: config.MaxInFlightRequests}
	at := newEndpoints()
	s.handler = &handler{
		endpoints: at,
		config:    &s.config,
		limits:    config.payloadLimits(),
		producer:  producer,
		admit:     admit,
		verifier: connection.NewVerifier(
			connection.VerifierConfig{Key: deps.Key, Registry: s.registry, Metrics: counts, Proofs: deps.Proofs},
		),
		activity:      connection.NewRecorder(s.registry, log, counts),
		metrics:       newMetrics(deps.Metrics, admit, at.formats()),
		log:           deps.Log,
		trusted:       trusted,
		tracer:        deps.Tracer,
		decompressing: make(chan struct{}, cmp.Or(config.MaxDecompressions, runtime.GOMAXPROCS(0))),
		retryAfter:    strconv.Itoa(max(1, int(config.RetryAfter/time.Second))),
	}
	s.server = newServer(&s.config, s.handler)
	s.handler.metrics.watch(deps.Metrics, s.server, s.limit, s.registry)
	s.requireReadiness()
	return s, nil
}

func (s *Service) listen(trusted clientip.Proxies) error {
	tcp, err := net.Listen("tcp", s.config.HTTP)
	if err != nil {
		return fmt.Errorf("listen for events: %w (choose another address with --http)", err)
	}
	s.limit = newAddressLimit(tcp, s.config.MaxConnectionsEach, trusted)
	s.listener = s.limit
	if s.config.TLSCert == "" {
		return nil
	}
	config, err := newTLS(s.config.TLSCert, s.config.TLSKey, s.deps.Log)
	if err != nil {
		return errors.Join(err, tcp.Close())
	}
	s.listener = tls.NewListener(s.limit, config)
	return nil
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
			return errors.New("the registry of connections has not been confirmed current within the last second")
		}
		return nil
	})
}

// URL returns the URL of the edge, without a path.
func (s *Service) URL() string {
	scheme := "http://"
	if s.config.TLSCert != "" {
		scheme = "https://"
	}
	return scheme + s.listener.Addr().String()
}

// Run serves until ctx ends, and then drains: the edge becomes unready, accepts no connection, answers the requests in
// flight, and flushes the producer. If the registry of connections cannot be followed, Run drains and returns the
// error.
func (s *Service) Run(ctx context.Context) error {
	// Requests in flight need the registry and the recorder until they are answered.
	outlast, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, ending := errgroup.WithContext(ctx)
	group.Go(s.serve)
	group.Go(func() error { return s.follow(outlast) })
	group.Go(func() error { s.handler.activity.Run(outlast); return nil })
	group.Go(func() error { <-ending.Done(); s.drain(); stop(); return nil })
	return group.Wait()
}

func (s *Service) serve() error {
	if err := s.server.Serve(s.listener); err != nil {
		return fmt.Errorf("serve events: %w", err)
	}
	return nil
}

func (s *Service) follow(ctx context.Context) error {
	err := s.deps.Stream.AwaitTopics(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("prepare the topics: %w", err)
	}
	return s.registry.Run(ctx)
}

func (s *Service) drain() {
	s.draining()
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer cancel()
	_ = s.listener.Close() // Serve may not have registered it yet
	if err := s.server.ShutdownWithContext(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		s.deps.Log.Warn("some requests were still in flight at the end of the drain", "error", err)
	}
	if err := s.handler.producer.Close(ctx); err != nil {
		s.deps.Log.Warn(
			"some records were not acknowledged at the end of the drain; none of them was answered with 200",
			"error",
			err,
		)
	}
}
