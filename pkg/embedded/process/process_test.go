package process_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/embedded/process"
)

const timeout = 30 * time.Second

func shell(t *testing.T, c process.Config, script string) *process.Process {
	t.Helper()
	c.Name, c.Path, c.Args = "the shell", "sh", []string{"-c", script}
	p, err := process.Start(c)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	return p
}

func TestProcess_OutputKeepsTheEnd(t *testing.T) {
	for name, c := range map[string]process.Config{
		"memory": {}, "log file": {LogFile: filepath.Join(t.TempDir(), "log")}, "terminal": {Terminal: true},
	} {
		p := shell(t, c, "seq 1 5000; exit 3")
		require.Equal(t, "exit status 3", p.State(), name)
		require.Regexp(t, `^4989\n(.*\n)+5000$`, p.Output(), name)
	}
}

func TestProcess_EnvironmentIsBareOnlyIfAsked(t *testing.T) {
	t.Setenv("OURS", "yes")
	for bare, want := range map[bool]string{false: "yes added", true: "added"} {
		p := shell(t, process.Config{BareEnv: bare, Env: []string{"ADDED=added"}}, "echo $OURS $ADDED")
		p.State()
		require.Equal(t, want, p.Output())
	}
}

func TestProcess_StopKillsWhatIgnoresTheSignal(t *testing.T) {
	p := shell(t, process.Config{}, `trap "" TERM; echo ready; while :; do sleep 1000; done`)
	require.Eventually(t, func() bool { return p.Output() == "ready" }, timeout, time.Millisecond)
	require.ErrorContains(t, p.Stop(t.Context(), syscall.SIGTERM, 50*time.Millisecond), "was killed")
	require.Equal(t, "signal: killed", p.State())
	require.NoError(t, p.Stop(t.Context(), syscall.SIGTERM, timeout), "a second stop is no error")
}

func TestProcess_AwaitSaysWhyItIsNotReady(t *testing.T) {
	never := func(context.Context) error { return http.ErrServerClosed }
	require.ErrorContains(t, shell(t, process.Config{}, "echo broken; exit 1").Await(t.Context(), timeout, never),
		"the shell ended early (exit status 1); its last output:\nbroken")
	require.ErrorIs(t, shell(t, process.Config{}, "sleep 1000").Await(t.Context(), time.Millisecond, never),
		http.ErrServerClosed)
}

func TestProcess_ReadyChecks(t *testing.T) {
	status := http.StatusServiceUnavailable
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	p := shell(t, process.Config{}, "sleep 1000")
	require.NoError(t, p.Await(t.Context(), timeout, process.Listens(s.Listener.Addr().String())))
	require.Error(t, process.AnswersOK(s.URL)(t.Context()))
	status = http.StatusOK
	require.NoError(t, p.Await(t.Context(), timeout, process.AnswersOK(s.URL)))
	s.Close()
	require.Error(t, process.Listens(s.Listener.Addr().String())(t.Context()))
}
