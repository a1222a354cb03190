//go:build linux

package measure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Program is what is to be run.
type Program struct {
	Name string // for people, and of the log file
	Path string
	Args []string
	Env  []string // beside our own
	Dir  string   // to run in; also where its log is
}

// Process is a running program with all processes that it has started. It ends when we do.
type Process struct {
	name    string
	log     string
	process *os.Process
	ended   chan struct{}
}

// Start starts the program. Whether it is ready is for the caller to find out: see AwaitPort and AwaitOK.
func (p Program) Start() (*Process, error) {
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(p.Dir, p.Name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Dir, cmd.Env = p.Dir, append(os.Environ(), p.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		// The kernel ends the child when the thread that started it ends: it has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Name, err)
	}
	return &Process{name: p.Name, log: log.Name(), process: cmd.Process, ended: ended}, nil
}

// Pid is the id of the process that was started first.
func (p *Process) Pid() int { return p.process.Pid }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// stopPatience is how long a program may take to end by itself.
const stopPatience = 30 * time.Second

// Stop asks the process to end and returns when it has; one that does not is killed with all it started.
func (p *Process) Stop() {
	_ = p.process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.ended:
	case <-time.After(stopPatience):
	}
	_ = syscall.Kill(-p.process.Pid, syscall.SIGKILL)
	<-p.ended
}

// AwaitPort returns when something listens on host:port.
func (p *Process) AwaitPort(ctx context.Context, addr string) error {
	return p.await(ctx, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			err = c.Close()
		}
		return err == nil
	})
}

// AwaitOK returns when a URL is answered with 200.
func (p *Process) AwaitOK(ctx context.Context, url string) error {
	return p.await(ctx, func() bool {
		response, err := http.Get(url) //nolint:noctx // of a process on this machine
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

const (
	awaitEach = 50 * time.Millisecond
	awaitMost = 90 * time.Second
)

func (p *Process) await(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, awaitMost)
	defer cancel()
	for !ready() {
		select {
		case <-p.ended:
			return p.failed(errors.New("it has ended"))
		case <-ctx.Done():
			return p.failed(ctx.Err())
		case <-time.After(awaitEach):
		}
	}
	return nil
}

const lastWordsBytes = 2 << 10

// failed adds the end of the log to an error.
func (p *Process) failed(err error) error {
	text, _ := os.ReadFile(p.log)
	return fmt.Errorf("%s did not get ready: %w; the end of %s:\n%s", p.name, err, p.log, text[max(0, len(text)-lastWordsBytes):])
}
