package embedded

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what has to happen; none asserts how long it took.
const patience = 30 * time.Second

// roleEnv makes this test binary a process to be killed: its value is a role, and dirEnv its data folder.
const (
	roleEnv = "MILLRACE_TEST_ROLE"
	dirEnv  = "MILLRACE_TEST_DIR"
)

func TestMain(m *testing.M) {
	RunChild()
	switch role := os.Getenv(roleEnv); role {
	case "":
		os.Exit(m.Run())
	case "clickhouse":
		playClickHouse(os.Getenv(dirEnv))
	case "broker":
		playBroker(os.Getenv(dirEnv))
	case "redis":
		playRedis(os.Getenv(dirEnv))
	default:
		panic("BUG: no such role: " + role)
	}
}

// actor is this test binary in a role.
type actor struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// play starts a role, which prints a line for each thing the test wants to know.
func play(t *testing.T, role, dir string) *actor {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role, dirEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	a := &actor{cmd: cmd, lines: bufio.NewScanner(out)}
	t.Cleanup(a.kill)
	return a
}

func (a *actor) line(t *testing.T) string {
	t.Helper()
	require.True(t, a.lines.Scan(), "the role ended without a word")
	return a.lines.Text()
}

// kill is kill -9.
func (a *actor) kill() {
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
}

// must ends a role that cannot play.
func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// testEngine is the machine's engine; a missing one is fetched.
func testEngine(t *testing.T) Engine {
	t.Helper()
	if engine, found := FindEngine(""); found {
		return engine
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	engine, err := FetchEngine(ctx, nil)
	require.NoError(t, err)
	return engine
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	require.NoError(t, err)
	return n
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func requireDead(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return !alive(pid) }, patience, 10*time.Millisecond, "process %d lives on", pid)
}

func testLogger(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }
