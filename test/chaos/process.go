//go:build linux

package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// restartPause is the time until a process that ended unexpectedly starts again.
const restartPause = time.Second

// process is a program with a supervisor, which restarts it if it ends.
type process struct {
	name    string
	program string
	args    []string
	env     []string
	logFile string
	addr    string // listen address of Redis
	log     *slog.Logger

	mu        sync.Mutex
	shouldRun bool // false while it is stopped on purpose
	running   *os.Process
	ended     chan struct{}
	crashes   int // unexpected ends
}

// start starts the process unless it runs.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shouldRun {
		return nil
	}
	p.shouldRun = true
	return p.launch()
}

// launch starts the program. The caller holds the lock.
func (p *process) launch() error {
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.program, p.args...)
	cmd.Env = append(os.Environ(), p.env...)
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
			_ = cmd.Wait()
			close(ended)
			p.restart(ended, cmd.ProcessState.String())
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.running, p.ended = cmd.Process, ended
	return nil
}

// restart restarts the process unless it was stopped on purpose.
func (p *process) restart(ended chan struct{}, how string) {
	p.mu.Lock()
	current := p.shouldRun && p.ended == ended
	if current {
		p.crashes++
	}
	p.mu.Unlock()
	if !current {
		return
	}
	p.log.Error("UNEXPECTED END", "process", p.name, "how", how, "log", p.logFile)
	time.Sleep(restartPause)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shouldRun && p.ended == ended {
		if err := p.launch(); err != nil {
			p.log.Error("cannot restart", "error", err)
		}
	}
}

// stop sends a signal and returns when the process has ended. After stopTimeout it kills the process and returns an error.
func (p *process) stop(signal syscall.Signal) error {
	p.mu.Lock()
	running, ended := p.running, p.ended
	p.shouldRun = false
	p.mu.Unlock()
	if running == nil {
		return nil
	}
	_ = running.Signal(signal) // it may have ended
	select {
	case <-ended:
		return nil
	case <-time.After(stopTimeout):
		_ = running.Kill()
		<-ended
		return fmt.Errorf("%s did not end within %s after %s and was killed", p.name, stopTimeout, signal)
	}
}

// stopTimeout is above the 15 s that loaders and edges have to drain.
const stopTimeout = 20 * time.Second

func (p *process) signal(signal syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return nil
	}
	return p.running.Signal(signal)
}

// pid is 0 if the process never ran.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return 0
	}
	return p.running.Pid
}

func (p *process) crashCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crashes
}
