package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	SegmentURL    string `json:"segment_url"`
	ConnectionID  string `json:"connection_id"`
	ProductID     string `json:"product_id"`
	Admin         string `json:"admin_url"`
	ClickHouseURL string `json:"clickhouse_url"`
	Database      string `json:"database"`

	data string // its folder
	said *output
}

// theMillrace is the one that all tests share, since its start takes longer than most of them. Each has a product of
// its own in it.
var theMillrace = sync.OnceValues(func() (*millrace, error) {
	dir, err := os.MkdirTemp("", "millrace-console-*")
	if err != nil {
		return nil, err
	}
	command := exec.Command(binary(), "up", "--data", filepath.Join(dir, "data"), "--ready-file", filepath.Join(dir, "ready.json"), "--http", "127.0.0.1:0",
		"--admin", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--clickhouse", "127.0.0.1:0", "--clickhouse-http", "127.0.0.1:0")
	m := &millrace{data: filepath.Join(dir, "data"), said: &output{}}
	command.Stdout, command.Stderr = m.said, m.said
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf(`start %s, which "make build" makes: %w`, binary(), err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	stopMillrace = func() error {
		defer os.RemoveAll(dir) // nothing writes there any more
		return stop(command, ended)
	}
	return m, m.awaitReady(filepath.Join(dir, "ready.json"), ended)
})

// stopMillrace ends it if a test has started it.
var stopMillrace = func() error { return nil }

// up is that one, in the hands of a test.
func up(t testing.TB) *millrace {
	t.Helper()
	m, err := theMillrace()
	require.NoError(t, err)
	from := len(m.said.String())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("millrace up has said meanwhile:\n%s", m.said.String()[from:])
		}
	})
	return m
}

func binary() string {
	if path := os.Getenv(binaryEnv); path != "" {
		return path
	}
	return filepath.Join("..", "..", "bin", "millrace")
}

// awaitReady takes longer than a page may: the first start on a machine fetches ClickHouse.
func (m *millrace) awaitReady(file string, ended chan error) error {
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); {
		if content, err := os.ReadFile(file); err == nil {
			return json.Unmarshal(content, m)
		}
		select {
		case err := <-ended:
			ended <- err // the end waits for it as well
			return fmt.Errorf("millrace up ended before it was ready: %w\n%s", err, m.said)
		case <-time.After(glance):
		}
	}
	return fmt.Errorf("millrace up is not ready:\n%s", m.said)
}

// stop waits for the end: what still wrote would keep us from removing its folder.
func stop(command *exec.Cmd, ended <-chan error) error {
	_ = command.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-ended:
		return err
	case <-time.After(time.Minute):
		_ = command.Process.Kill()
		return errors.New("it does not end")
	}
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
