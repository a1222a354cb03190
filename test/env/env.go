// Package env gives tests the real parts: one ClickHouse engine for a whole test binary with a
// fresh database for each test, and a broker or a Redis of its own for each test that asks. A test
// package that uses ClickHouse has
//
//	func TestMain(m *testing.M) { env.Main(m) }
//
// Where kafka.JarsEnv is set, the broker is Apache Kafka: one cluster of three nodes for a whole test
// binary, emptied for each test.
//
// What is missing on the machine is fetched, or fails the test; nothing is skipped.
package env

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/embedded"
)

// How long the engine may take to be fetched and started, and to be stopped.
const (
	startTimeout = 5 * time.Minute
	stopTimeout  = 15 * time.Second
)

// shared is the test binary's engine, started by the first test that needs it.
var shared struct {
	sync.Mutex
	engine    *embedded.ClickHouse
	dir       string
	databases atomic.Int64
}

// Main runs the tests and then stops the engine and the brokers; call it as all there is in TestMain. In
// a process that was started to be the engine it never returns.
func Main(m *testing.M) {
	embedded.RunChild()
	code := m.Run()
	if err := errors.Join(stopShared(), stopShards(), stopApache()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Engine finds the engine on this machine, or fetches it.
func Engine(t testing.TB) embedded.Engine {
	t.Helper()
	engine, err := findOrFetch()
	require.NoError(t, err)
	return engine
}

func findOrFetch() (embedded.Engine, error) {
	if engine, found := embedded.FindEngine(""); found {
		return engine, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return embedded.FetchEngine(ctx, nil)
}

// Database is a fresh, empty database in the shared engine, dropped when its test ends.
type Database struct {
	*embedded.ClickHouse
	Name string
}

// ClickHouse returns a database of the test's own. The engine behind it is shared with other tests: to
// kill one, start one with embedded.StartClickHouse.
func ClickHouse(t testing.TB) Database {
	t.Helper()
	engine, err := startShared()
	require.NoError(t, err)
	db := Database{ClickHouse: engine, Name: fmt.Sprintf("test_%d", shared.databases.Add(1))}
	db.Exec(t, "CREATE DATABASE "+db.Name)
	t.Cleanup(func() { db.Exec(t, "DROP DATABASE "+db.Name+" SYNC") })
	return db
}

// Exec runs one statement over HTTP in the test's database and returns what it answers, tab-separated.
func (d Database) Exec(t testing.TB, statement string) string {
	t.Helper()
	url := d.HTTPURL() + "/"
	if !strings.HasPrefix(statement, "CREATE DATABASE") {
		url += "?database=" + d.Name
	}
	response, err := http.Post(url, "text/plain", strings.NewReader(statement))
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", statement, body)
	return strings.TrimSuffix(string(body), "\n")
}

func startShared() (*embedded.ClickHouse, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.engine != nil {
		return shared.engine, nil
	}
	engine, err := findOrFetch()
	if err != nil {
		return nil, err
	}
	if shared.dir, err = os.MkdirTemp("", "millrace-test-*"); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	shared.engine, err = embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: shared.dir, Engine: engine})
	return shared.engine, err
}

func stopShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.engine != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := shared.engine.Close(ctx); err != nil {
			return err
		}
	}
	if shared.dir == "" {
		return nil
	}
	return os.RemoveAll(shared.dir)
}

// Redis starts an empty Redis, stopped when the test ends.
func Redis(t testing.TB) *embedded.Redis {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	redis, err := embedded.StartRedis(ctx, embedded.RedisConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(redis.Close)
	return redis
}
