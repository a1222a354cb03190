package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
)

func playClickHouse(dir string) {
	engine, found := FindEngine("")
	if !found {
		fmt.Fprintln(os.Stderr, "no engine")
		os.Exit(1)
	}
	c := must(StartClickHouse(context.Background(), ClickHouseConfig{Dir: dir, Engine: engine}))
	fmt.Println(c.Pid())
	select {}
}

// start starts an engine that is closed at the test's end.
func start(t *testing.T, dir string) *ClickHouse {
	t.Helper()
	c, err := StartClickHouse(context.Background(), ClickHouseConfig{Dir: dir, Engine: testEngine(t), Logger: testLogger(t)})
	require.NoError(t, err)
	t.Cleanup(func() { stop(t, c) })
	return c
}

func stop(t *testing.T, c *ClickHouse) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, c.Close(ctx))
}

// open connects; the connection pool is small and its time-outs short, so that it notices a killed engine.
func open(t *testing.T, c *ClickHouse) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{c.Addr()}, DialTimeout: time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func createTable(t *testing.T, conn driver.Conn) {
	t.Helper()
	require.NoError(t, conn.Exec(testContext(t), "CREATE DATABASE IF NOT EXISTS millrace"))
	require.NoError(t, conn.Exec(testContext(t),
		"CREATE TABLE IF NOT EXISTS millrace.numbers (n UInt64) ENGINE = MergeTree ORDER BY n"))
}

func insert(t *testing.T, conn driver.Conn, rows int) {
	t.Helper()
	batch, err := conn.PrepareBatch(testContext(t), "INSERT INTO millrace.numbers")
	require.NoError(t, err)
	for n := range rows {
		require.NoError(t, batch.Append(uint64(n)))
	}
	require.NoError(t, batch.Send())
}

func text(conn driver.Conn, query string) (string, error) {
	var answer string
	err := conn.QueryRow(context.Background(), "SELECT toString(("+query+"))").Scan(&answer)
	return answer, err
}

func requireText(t *testing.T, conn driver.Conn, query, want string) {
	t.Helper()
	got, err := text(conn, query)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestClickHouseKeepsTablesOverARestart(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	conn := open(t, first)
	createTable(t, conn)
	insert(t, conn, 1000)
	pid := first.Pid()
	stop(t, first)
	requireDead(t, pid)

	again := open(t, start(t, dir))
	requireText(t, again, "SELECT count() FROM millrace.numbers", "1000")
	requireText(t, again, "SELECT engine FROM system.databases WHERE name = 'millrace'", "Atomic")
	requireText(t, again, "SELECT value FROM system.server_settings WHERE name = 'mark_cache_size'", "268435456")
}

func TestClickHouseTakesExtraSettings(t *testing.T) {
	c, err := StartClickHouse(context.Background(), ClickHouseConfig{
		Dir: t.TempDir(), Engine: testEngine(t), ExtraConfig: "<macros><shard>seven</shard></macros>",
	})
	require.NoError(t, err)
	t.Cleanup(func() { stop(t, c) })
	requireText(t, open(t, c), "SELECT getMacro('shard')", "seven")
}

func TestAKilledClickHouseIsStartedAgainOnItsPorts(t *testing.T) {
	c := start(t, t.TempDir())
	conn := open(t, c)
	createTable(t, conn)
	insert(t, conn, 1000)

	for kill := int64(1); kill <= 2; kill++ {
		pid := c.Pid()
		process, err := os.FindProcess(pid)
		require.NoError(t, err)
		require.NoError(t, process.Kill())
		require.Eventually(t, func() bool { return c.Restarts() == kill }, patience, 10*time.Millisecond)
		require.NotEqual(t, pid, c.Pid())
		require.Eventually(t, func() bool {
			rows, err := text(conn, "SELECT count() FROM millrace.numbers")
			return err == nil && rows == "1000"
		}, patience, 10*time.Millisecond)
	}
}

func TestNoClickHouseOutlivesItsParent(t *testing.T) {
	testEngine(t) // before the roles look for it
	dir := t.TempDir()
	parent := play(t, "clickhouse", dir)
	pid := number(t, parent.line(t))
	require.True(t, alive(pid))
	parent.kill()

	// It may still be ending: the next start waits for it instead of failing.
	requireText(t, open(t, start(t, dir)), "SELECT 1", "1")
	requireDead(t, pid)
}

func TestOneClickHouseToAFolder(t *testing.T) {
	dir := t.TempDir()
	start(t, dir)
	_, err := StartClickHouse(testContext(t), ClickHouseConfig{Dir: dir, Engine: testEngine(t)})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, fmt.Sprintf("held by process %d", os.Getpid()))
}

// TestClickHouseSurvivesResets cuts clients off before their first word and in the middle of a block, each
// with a reset and not a close. Without a terminal as its standard input this engine version does not
// live through the former.
func TestClickHouseSurvivesResets(t *testing.T) {
	c := start(t, t.TempDir())
	createTable(t, open(t, c))
	pid := c.Pid()
	for n := range 40 {
		resetAtOnce(t, c.Addr())
		resetInMidInsert(t, c, 100_000+n*10_000)
	}
	requireText(t, open(t, c), "SELECT 1", "1")
	require.Equal(t, pid, c.Pid())
	require.Zero(t, c.Restarts())
}

func resetAtOnce(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).SetLinger(0))
	require.NoError(t, conn.Close())
}

// resetInMidInsert sends part of an insert and resets the connection.
func resetInMidInsert(t *testing.T, c *ClickHouse, afterBytes int) {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr:         []string{c.Addr()},
		MaxOpenConns: 1,
		DialContext: func(ctx context.Context, addr string) (net.Conn, error) {
			dialed, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			if err != nil {
				return nil, err
			}
			return &resetting{TCPConn: dialed.(*net.TCPConn), left: afterBytes}, nil
		},
	})
	require.NoError(t, err)
	defer conn.Close()
	batch, err := conn.PrepareBatch(testContext(t), "INSERT INTO millrace.numbers")
	require.NoError(t, err)
	for n := range 100_000 {
		require.NoError(t, batch.Append(uint64(n)))
	}
	require.Error(t, batch.Send(), "the insert was over before the reset")
}

// resetting is a connection that is reset once a number of bytes is written.
type resetting struct {
	*net.TCPConn
	left int
}

func (r *resetting) Write(b []byte) (int, error) {
	if len(b) <= r.left {
		r.left -= len(b)
		return r.TCPConn.Write(b)
	}
	n, _ := r.TCPConn.Write(b[:r.left])
	_ = r.SetLinger(0)
	return n, errors.Join(net.ErrClosed, r.Close())
}

func TestAFailedStartSaysWhy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()

	tests := map[string]struct {
		change func(*ClickHouseConfig)
		want   string
	}{
		"no folder":         {func(c *ClickHouseConfig) { c.Dir = "" }, "no data folder"},
		"no engine":         {func(c *ClickHouseConfig) { c.Engine = Engine{} }, "no ClickHouse engine given"},
		"taken port":        {func(c *ClickHouseConfig) { c.TCPAddr = taken.Addr().String() }, "address already in use"},
		"two hosts":         {func(c *ClickHouseConfig) { c.HTTPAddr = "localhost:0" }, "two ports of one host"},
		"no library":        {func(c *ClickHouseConfig) { c.Engine = Engine{Library: "/nowhere/libchdb.so"} }, "load the ClickHouse engine"},
		"unreadable config": {func(c *ClickHouseConfig) { c.ExtraConfig = "<unclosed>" }, "settings.xml"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := ClickHouseConfig{Dir: t.TempDir(), Engine: testEngine(t)}
			test.change(&config)
			_, err := StartClickHouse(testContext(t), config)
			require.ErrorContains(t, err, test.want)

			if config.Dir != "" {
				lock, err := lockDir(testContext(t), config.Dir)
				require.NoError(t, err, "the failed start left the folder locked")
				require.NoError(t, lock.Close())
			}
		})
	}
}

// TestABinaryOnPathIsPreferred has a clickhouse on PATH that is this test binary in disguise, so that the
// very arguments for a real one are tried.
func TestABinaryOnPathIsPreferred(t *testing.T) {
	library := testEngine(t).Library
	if library == "" {
		_, err := exec.LookPath("clickhouse")
		require.NoError(t, err, "the engine is neither a library nor on PATH")
		return
	}
	bin := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = local ] || exit 1\nshift\n%s=%q exec %q \"$@\"\n", childEnv, library, os.Args[0])
	require.NoError(t, os.WriteFile(filepath.Join(bin, "clickhouse"), []byte(script), 0o755))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))

	engine, found := FindEngine("")
	require.True(t, found)
	require.Equal(t, Engine{Binary: filepath.Join(bin, "clickhouse")}, engine)
	requireText(t, open(t, start(t, t.TempDir())), "SELECT 1", "1")
}
