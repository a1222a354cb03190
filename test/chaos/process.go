//go:build linux

package main

import (
	"context"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/millrace/millrace/pkg/embedded/process"
)

// restartPause is the time until a process that ended unexpectedly starts again.
const restartPause = time.Second

// stopTimeout is above the 15 s that loaders and edges have to drain.
const stopTimeout = 20 * time.Second

// supervised is a program with a supervisor, which restarts it if it ends.
type supervised struct {
	config process.Config
	addr   string // listen address of Redis
	log    *slog.Logger

	mu        sync.Mutex
	shouldRun bool // false while it is stopped on purpose
	running   *process.Process
	crashes   int // unexpected ends
}

// start starts the process unless it runs.
func (p *supervised) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shouldRun {
		return nil
	}
	p.shouldRun = true
	return p.launch()
}

// launch starts the program. The caller holds the lock.
func (p *supervised) launch() (err error) {
	if p.running, err = process.Start(p.config); err == nil {
		go p.supervise(p.running)
	}
	return err
}

// supervise restarts the process when it ends, unless it was stopped on purpose.
func (p *supervised) supervise(running *process.Process) {
	how := running.State()
	p.mu.Lock()
	current := p.shouldRun && p.running == running
	if current {
		p.crashes++
	}
	p.mu.Unlock()
	if !current {
		return
	}
	p.log.Error("UNEXPECTED END", "process", p.config.Name, "how", how, "log", p.config.LogFile)
	time.Sleep(restartPause)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shouldRun && p.running == running {
		if err := p.launch(); err != nil {
			p.log.Error("cannot restart", "error", err)
		}
	}
}

// stop sends a signal and returns when the process has ended. After stopTimeout it kills the process and returns an
// error.
func (p *supervised) stop(signal syscall.Signal) error {
	p.mu.Lock()
	running := p.running
	p.shouldRun = false
	p.mu.Unlock()
	if running == nil {
		return nil
	}
	return running.Stop(context.Background(), signal, stopTimeout)
}

func (p *supervised) signal(signal syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return nil
	}
	return p.running.Signal(signal)
}

// pid is 0 if the process never ran.
func (p *supervised) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return 0
	}
	return p.running.Pid()
}

func (p *supervised) crashCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crashes
}
