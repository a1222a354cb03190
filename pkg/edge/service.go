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

// Deps is what the edge shares with the rest of its process.
type Deps struct {
	Stream  *stream.Client
	Key     token.Key
	Memos   connection.MemoStore // nil without Redis
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Health  *telemetry.Health
	Tracer  *tracing.Tracer // nil if nothing is traced
}

// Service is an edge.
type Service struct {
	config   Config
	deps     Deps
	listener net.Listener // what the server accepts from: TCP, each peer's share, TLS
	peers    *peerLimit
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
		endpoints: at, config: &s.config, limits: config.payloadLimits(), producer: producer, admit: admit,
		verifier:      connection.NewVerifier(connection.VerifierConfig{Key: deps.Key, Registry: s.registry, Metrics: counts, Memos: deps.Memos}),
		activity:      connection.NewRecorder(s.registry, log, counts),
		metrics:       newMetrics(deps.Metrics, admit, at.formats()),
		log:           deps.Log,
		trusted:       trusted,
		tracer:        deps.Tracer,
		decompressing: make(chan struct{}, cmp.Or(config.MaxDecompressions, runtime.GOMAXPROCS(0))),
		retryAfter:    strconv.Itoa(max(1, int(config.RetryAfter/time.Second))),
	}
	s.server = newServer(&s.config, s.handler)
	s.handler.metrics.watch(deps.Metrics, s.server, s.peers, s.registry)
	s.requireReadiness()
	return s, nil
}

func (s *Service) listen(trusted clientip.Proxies) error {
	tcp, err := net.Listen("tcp", s.config.HTTP)
	if err != nil {
		return fmt.Errorf("listen for events: %w (choose another address with --http)", err)
	}
	s.peers = newPeerLimit(tcp, s.config.MaxConnectionsEach, trusted)
	s.listener = s.peers
	if s.config.TLSCert == "" {
		return nil
	}
	config, err := newTLS(s.config.TLSCert, s.config.TLSKey, s.deps.Log)
	if err != nil {
		return errors.Join(err, tcp.Close())
	}
	s.listener = tls.NewListener(s.peers, config)
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
			return errors.New("the registry of connections has not been read to its end within the last second")
		}
		return nil
	})
}

// URL is where events are taken, without a path.
func (s *Service) URL() string {
	scheme := "http://"
	if s.config.TLSCert != "" {
		scheme = "https://"
	}
	return scheme + s.listener.Addr().String()
}

// Run serves until ctx ends, and then drains: readiness goes first, then no new connection is taken,
// requests under way are answered, and what was written is flushed. A registry that cannot be followed
// ends it in the same way, with an error.
func (s *Service) Run(ctx context.Context) error {
	// What requests under way need goes on until they are answered.
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
	_ = s.listener.Close() // the server may not know it yet, and would then not close it
	if err := s.server.ShutdownWithContext(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		s.deps.Log.Warn("some requests were still under way at the end of the drain", "error", err)
	}
	if err := s.handler.producer.Close(ctx); err != nil {
		s.deps.Log.Warn("some records were still under way at the end of the drain; none of them was answered with 200", "error", err)
	}
}
