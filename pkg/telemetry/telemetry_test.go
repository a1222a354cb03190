package telemetry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

func startAdmin(t *testing.T, health *Health) *Admin {
	t.Helper()
	admin, err := NewAdmin(AdminConfig{Admin: "127.0.0.1:0"}, health, NewRegistry(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return admin
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(b)
}

func TestAdmin(t *testing.T) {
	health := &Health{}
	var reason error
	health.Require("part", func() error { return reason })
	admin := startAdmin(t, health)
	err := RunWith(context.Background(), admin, func(context.Context) error {
		for path, want := range map[string]string{
			"/healthz":      "{\"status\":\"ok\"}\n",
			"/readyz":       "{\"status\":\"ready\"}\n",
			"/metrics":      "go_goroutines ",
			"/debug/pprof/": "goroutine",
		} {
			status, body := get(t, admin.URL()+path)
			require.Equal(t, http.StatusOK, status, path)
			require.Contains(t, body, want)
		}
		reason = errors.New("the cause")
		status, body := get(t, admin.URL()+"/readyz")
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.JSONEq(t, `{"status":"not ready","waiting_for":{"part":"the cause"}}`, body)
		status, _ = get(t, admin.URL()+"/healthz")
		require.Equal(t, http.StatusOK, status)
		for _, path := range []string{"/else", "/debug/pprof/cmdline"} {
			status, _ = get(t, admin.URL()+path)
			require.Equal(t, http.StatusNotFound, status)
		}
		return nil
	})
	require.NoError(t, err)
	_, err = net.Dial("tcp", strings.TrimPrefix(admin.URL(), "http://"))
	require.Error(t, err)
}

// What a container's health check asks: the program on the admin address, whatever interfaces it listens on.
func TestCheck(t *testing.T) {
	health := &Health{}
	var reason error
	health.Require("part", func() error { return reason })
	admin, err := NewAdmin(AdminConfig{Admin: ":0"}, health, NewRegistry(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(admin.URL(), "http://"))
	require.NoError(t, err)
	require.NoError(t, RunWith(context.Background(), admin, func(ctx context.Context) error {
		for _, host := range []string{"", "0.0.0.0", "[::]", "127.0.0.1"} {
			config := AdminConfig{Admin: host + ":" + port}
			reason = nil
			require.NoError(t, Check(ctx, config), host)
			reason = errors.New("the cause")
			require.ErrorContains(t, Check(ctx, config), "the cause")
		}
		return nil
	}))
	require.ErrorContains(t, Check(context.Background(), AdminConfig{Admin: "127.0.0.1:" + port}), "nothing answers on the admin address")
	require.ErrorContains(t, Check(context.Background(), AdminConfig{Admin: "nowhere"}), "--admin")
}

func TestAdminAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = NewAdmin(AdminConfig{Admin: l.Addr().String()}, &Health{}, NewRegistry(), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "choose another with --admin")
}

// The admin address outlasts the end of ctx, for the drain; and its failure ends the work.
func TestRunWith(t *testing.T) {
	admin := startAdmin(t, &Health{})
	ctx, cancel := context.WithCancel(context.Background())
	failed := errors.New("the work failed")
	err := RunWith(ctx, admin, func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		status, _ := get(t, admin.URL()+"/healthz")
		require.Equal(t, http.StatusOK, status)
		return failed
	})
	require.ErrorIs(t, err, failed)

	broken := startAdmin(t, &Health{})
	require.NoError(t, broken.listener.Close())
	err = RunWith(context.Background(), broken, func(ctx context.Context) error { <-ctx.Done(); return nil })
	require.ErrorContains(t, err, "serve the admin address")
}

func TestLogger(t *testing.T) {
	for format, want := range map[string]string{"text": "level=WARN msg=seen n=1", "json": `"level":"WARN","msg":"seen","n":1}`} {
		var out strings.Builder
		var config LogConfig
		parser, err := kong.New(&config)
		require.NoError(t, err)
		_, err = parser.Parse([]string{"--log-level=warn", "--log-format=" + format})
		require.NoError(t, err)
		log := config.Logger(&out)
		log.Info("not seen")
		log.Warn("seen", "n", 1)
		require.Contains(t, out.String(), want)
		require.NotContains(t, out.String(), "not seen")
	}
}

// A panic may quote what was being worked on. The runtime's own say what happened with types and numbers.
func TestBUG(t *testing.T) {
	for want, harm := range map[string]func(){
		"panic=string":                 func() { panic("canary") },
		"panic=*errors.errorString":    func() { panic(errors.New("canary")) },
		"index out of range [7]":       func() { _ = []byte("canary")[len(t.Name())] },
		"nil pointer dereference":      func() { _ = (*time.Time)(nil).Unix() },
		"interface conversion: string": func() { _ = any("canary").(error) },
	} {
		var out strings.Builder
		func() {
			defer func() { BUG(slog.New(slog.NewTextHandler(&out, nil)), "testing", recover(), []byte("the stack")) }()
			harm()
		}()
		require.Contains(t, out.String(), "BUG: panic while testing")
		require.Contains(t, out.String(), want)
		require.Contains(t, out.String(), "the stack")
		require.NotContains(t, out.String(), "canary")
	}
}
