package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/test/env"
)

// process is a binary that runs until the test ends it.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	output *lockedBuffer
	done   chan error
}

// lockedBuffer has nothing of a bytes.Buffer but these two methods: io.Copy would use its ReadFrom, which
// takes no lock.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func start(t testing.TB, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary(t, name), args...), output: &lockedBuffer{}, done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.Env = append(os.Environ(), env...)
	require.NoError(t, p.cmd.Start())
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.output)
		}
	})
	return p
}

// stop ends the process as an operator would and returns how it ended.
func (p *process) stop() error {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	return p.wait()
}

// kill ends it as a crash would.
func (p *process) kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
	require.Error(p.t, p.wait())
}

func (p *process) wait() error {
	p.t.Helper()
	select {
	case err := <-p.done:
		return err
	case <-time.After(time.Minute):
		p.t.Fatalf("%s does not end; it said:\n%s", p.cmd, p.output)
		return nil
	}
}

// run runs a command to its end and returns what it printed.
func run(t testing.TB, env []string, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(binary(t, name), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), env...)
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// upReady is the ready file.
type upReady struct {
	SegmentURL    string `json:"segment_url"`
	ConnectionID  string `json:"connection_id"`
	ProductID     string `json:"product_id"`
	Admin         string `json:"admin_url"`
	Kafka         string `json:"kafka"`
	ClickHouse    string `json:"clickhouse"`
	ClickHouseURL string `json:"clickhouse_url"`
	Database      string `json:"database"`
}

// up is a running "millrace up" on a data folder.
type up struct {
	*process
	upReady
	data, readyFile string
}

func startUp(t testing.TB, data string, flags ...string) *up {
	t.Helper()
	env.KfakeOnly(t)
	file := filepath.Join(t.TempDir(), "ready.json")
	args := []string{
		"up", "--data", data, "--ready-file", file, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--kafka", "127.0.0.1:0", "--clickhouse", "127.0.0.1:0", "--clickhouse-http", "127.0.0.1:0",
	}
	u := &up{process: start(t, nil, "millrace", append(args, flags...)...), data: data, readyFile: file}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		if b, err := os.ReadFile(file); err == nil {
			require.NoError(t, json.Unmarshal(b, &u.upReady))
			return u
		}
		require.True(t, time.Now().Before(deadline), "not ready:\n%s", u.output)
		select {
		case err := <-u.done:
			t.Fatalf("ended before it was ready: %v\n%s", err, u.output)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// sql asks as an analyst would.
func (u *up) sql(query string) string {
	u.t.Helper()
	out, errs, err := run(u.t, nil, "millrace", "sql", "--data", u.data, "--format", "TSV", query)
	require.NoError(u.t, err, errs)
	return strings.TrimSuffix(out, "\n")
}

// await asks until the answer is the one wanted.
func (u *up) await(want, query string) {
	u.t.Helper()
	var got string
	require.Eventually(u.t, func() bool {
		got = u.sql(query)
		return got == want
	}, 30*time.Second, 100*time.Millisecond, "%s: want %q, got %q", query, want, &got)
}

// post sends a body and returns the answer.
func post(t testing.TB, url, body string, headers ...string) (status int, answer string) {
	t.Helper()
	status, answer, err := tryPost(http.DefaultClient, url, body, headers...)
	require.NoError(t, err)
	return status, answer
}

func tryPost(client *http.Client, url, body string, headers ...string) (status int, answer string, err error) {
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(b)), err
}

// rawly sends bytes that no HTTP client would, and returns what comes back until the end.
func rawly(t testing.TB, url, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	b, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(b)
}
