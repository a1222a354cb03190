package consoletest

import (
	"bytes"
	"encoding/json"
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
)

// binaryEnv names the variable that says which millrace is tried; without it that is the one that "make build" left.
const binaryEnv = "MILLRACE_TEST_BINARY"

// millrace is a running "millrace up". What its ready file says has the addresses.
type millrace struct {
	SegmentURL   string `json:"segment_url"`
	ConnectionID string `json:"connection_id"`
	ProductID    string `json:"product_id"`
	Admin        string `json:"admin_url"`
}

// startMillrace starts it with an empty data folder, and stops it when the test ends.
func startMillrace(t testing.TB, flags ...string) *millrace {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "ready.json")
	args := append([]string{"up", "--data", filepath.Join(dir, "data"), "--ready-file", file, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--kafka", "127.0.0.1:0", "--clickhouse", "127.0.0.1:0", "--clickhouse-http", "127.0.0.1:0"}, flags...)
	command := exec.Command(binary(t), args...)
	said := &output{}
	command.Stdout, command.Stderr = said, said
	require.NoError(t, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		stop(t, command, ended)
		if t.Failed() {
			t.Logf("millrace up said:\n%s", said)
		}
	})
	return awaitReady(t, file, said, ended)
}

func binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv(binaryEnv)
	if path == "" {
		path = filepath.Join("..", "bin", "millrace")
	}
	require.FileExists(t, path, `"make build" makes it`)
	return path
}

// awaitReady takes longer than a page may: the first start on a machine fetches ClickHouse.
func awaitReady(t testing.TB, file string, said *output, ended chan error) *millrace {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; {
		if content, err := os.ReadFile(file); err == nil {
			m := &millrace{}
			require.NoError(t, json.Unmarshal(content, m))
			return m
		}
		require.True(t, time.Now().Before(deadline), "millrace up is not ready:\n%s", said)
		select {
		case err := <-ended:
			ended <- err // the clean-up waits for it as well
			require.FailNow(t, "millrace up ended before it was ready", "%v\n%s", err, said)
		case <-time.After(glance):
		}
	}
}

// stop waits for the end: what still wrote would keep the test from removing its folder.
func stop(t testing.TB, command *exec.Cmd, ended <-chan error) {
	_ = command.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(time.Minute):
		_ = command.Process.Kill()
		t.Errorf("millrace up does not end")
	}
}

// post sends a message, and returns the status of the answer.
func post(t testing.TB, url, message string) int {
	t.Helper()
	response, err := http.Post(url, "application/json", strings.NewReader(message))
	require.NoError(t, err)
	defer response.Body.Close()
	return response.StatusCode
}

// output may be read while a process writes to it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
