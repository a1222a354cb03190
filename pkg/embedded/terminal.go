package embedded

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// How long each request to end is given before the next, harsher one.
const (
	exitPatience = 10 * time.Second
	termPatience = 3 * time.Second
)

// tailBytes bounds what is kept of the engine's terminal output.
const tailBytes = 8 << 10

// process is one run of the engine. It needs a terminal for its standard files: without one, an engine
// before 26.8 aborts when a client connection is reset. When we are killed the kernel hangs the terminal
// up, and the engine ends.
type process struct {
	cmd   *exec.Cmd
	tty   *os.File // our end of the terminal
	tail  tail
	ended chan struct{} // closed once err is set and the output is read
	err   error
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 200})
	if err != nil {
		return nil, fmt.Errorf("start the ClickHouse engine: %w", err)
	}
	p := &process{cmd: cmd, tty: tty, ended: make(chan struct{})}
	go p.wait()
	return p, nil
}

// wait reads the terminal to its end, because an engine whose output nobody reads stops at a full buffer.
// The read fails once the engine has closed its side, which is no error.
func (p *process) wait() {
	_, _ = io.Copy(&p.tail, p.tty)
	p.err = p.cmd.Wait()
	p.tty.Close()
	close(p.ended)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the engine: it asks, then insists, then kills. The end of ctx skips to killing.
func (p *process) stop(ctx context.Context) {
	_, _ = io.WriteString(p.tty, "exit\n")
	if p.endedWithin(ctx, exitPatience) {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if p.endedWithin(ctx, termPatience) {
		return
	}
	p.kill()
}

func (p *process) endedWithin(ctx context.Context, patience time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-ctx.Done():
	case <-time.After(patience):
	}
	return false
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	last []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if over := len(t.last) - tailBytes; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return len(b), nil
}

// What is left out for people: what only a terminal understands, then empty lines and the frames of stack
// traces, which are bare addresses.
var (
	terminalCodes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|\r`)
	emptyLines    = regexp.MustCompile(`(?m)^(\d+\. .* @ 0x[0-9a-f]+|\s*)\n`)
)

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	clean := emptyLines.ReplaceAll(terminalCodes.ReplaceAll(t.last, nil), nil)
	return lastLines(string(clean), 12)
}
