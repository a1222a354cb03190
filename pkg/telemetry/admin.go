package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// AdminConfig says where operators look.
type AdminConfig struct {
	Admin string `help:"Address of /healthz, /readyz, /metrics and /debug/pprof. Keep it away from strangers." default:"${admin=127.0.0.1:8081}" placeholder:"ADDR"`
}

// NewRegistry makes a metrics registry with the Go runtime's, the build's and the process's own.
func NewRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return registry
}

// Admin is the server of the admin address.
type Admin struct {
	listener net.Listener
	server   *http.Server
	log      *slog.Logger
}

// Mount is what is served besides, under a path.
type Mount struct {
	Path    string
	Handler http.Handler
}

// NewAdmin listens; Run serves.
func NewAdmin(
	config AdminConfig,
	health *Health,
	registry *prometheus.Registry,
	log *slog.Logger,
	mounts ...Mount,
) (*Admin, error) {
	listener, err := net.Listen("tcp", config.Admin)
	if err != nil {
		return nil, fmt.Errorf("listen on the admin address: %w (choose another with --admin)", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(
		"GET /healthz",
		func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]any{"status": "ok"}) },
	)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { ready(w, health) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	// There is no /debug/pprof/cmdline: a password may stand on the command line.
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	for _, m := range mounts {
		mux.Handle(m.Path, m.Handler)
		mux.Handle(m.Path+"/", m.Handler)
	}
	return &Admin{
		listener: listener,
		log:      log,
		server: &http.Server{
			Handler:           mux,
			ReadHeaderTimeout: 5 * time.Second,
			IdleTimeout:       2 * time.Minute,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}, nil
}

// URL is the base URL of what is served.
func (a *Admin) URL() string { return "http://" + a.listener.Addr().String() }

// Run serves until ctx ends.
func (a *Admin) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { a.server.Close() })
	defer stop()
	if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the admin address: %w", err)
	}
	return nil
}

func ready(w http.ResponseWriter, health *Health) {
	unmet := health.Unmet()
	if len(unmet) == 0 {
		answer(w, http.StatusOK, map[string]any{"status": "ready"})
		return
	}
	answer(w, http.StatusServiceUnavailable, map[string]any{"status": "not ready", "waiting_for": unmet})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

// RunWith serves the admin address for as long as run goes on: it is there to watch the drain. ctx ends
// run; the first of the two that fails ends both.
func RunWith(ctx context.Context, admin *Admin, run func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		err := admin.Run(adminCtx)
		if err != nil {
			stop()
		}
		served <- err
	}()
	err := run(ctx)
	stopAdmin()
	return errors.Join(err, <-served)
}
