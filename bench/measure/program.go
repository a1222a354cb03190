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

// Program is an executable with its arguments.
type Program struct {
	Name string // in errors, and of the log file
	Path string
	Args []string
	Env  []string // added to this process's environment
	Dir  string   // working directory, which also gets the log
}

// Process is a running program with all processes that it has started. It ends with this process.
type Process struct {
	name    string
	log     string
	process *os.Process
	ended   chan struct{}
}

// Start starts the program. To wait until it is ready, use AwaitPort or AwaitOK.
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
		// Pdeathsig kills the child when the thread that started it ends, so this thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its log says how it ended
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Name, err)
	}
	return &Process{name: p.Name, log: log.Name(), process: cmd.Process, ended: ended}, nil
}

// Pid is the process id of the program itself.
func (p *Process) Pid() int { return p.process.Pid }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// stopTimeout is the time that a program has to end after SIGTERM.
const stopTimeout = 30 * time.Second

// Stop sends SIGTERM and returns when the process has ended. After stopTimeout it kills the process group.
func (p *Process) Stop() {
	_ = p.process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
	}
	_ = syscall.Kill(-p.process.Pid, syscall.SIGKILL)
	<-p.ended
}

// AwaitPort returns when host:port accepts connections.
func (p *Process) AwaitPort(ctx context.Context, addr string) error {
	return p.await(ctx, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			err = c.Close()
		}
		return err == nil
	})
}

// AwaitOK returns when a URL answers 200.
func (p *Process) AwaitOK(ctx context.Context, url string) error {
	return p.await(ctx, func() bool {
		response, err := http.Get(url) //nolint:noctx // a process on this machine
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

const (
	awaitPoll    = 50 * time.Millisecond
	awaitTimeout = 90 * time.Second
)

func (p *Process) await(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTimeout)
	defer cancel()
	for !ready() {
		select {
		case <-p.ended:
			return p.failed(errors.New("the process has ended"))
		case <-ctx.Done():
			return p.failed(ctx.Err())
		case <-time.After(awaitPoll):
		}
	}
	return nil
}

const logTailBytes = 2 << 10

// failed adds the end of the log to the error.
func (p *Process) failed(err error) error {
	text, _ := os.ReadFile(p.log)
	tail := text[max(0, len(text)-logTailBytes):]
	return fmt.Errorf("%s did not become ready: %w; the end of %s:\n%s", p.name, err, p.log, tail)
}
