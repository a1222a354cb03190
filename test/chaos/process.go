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

// restartPause is how long a process that ended by itself stays down.
const restartPause = time.Second

// process is a program that is started again if it ends, as a supervisor would.
type process struct {
	name    string
	program string
	args    []string
	env     []string
	logFile string
	addr    string // where Redis listens
	log     *slog.Logger

	mu      sync.Mutex
	wanted  bool // false while it is meant to be down
	running *os.Process
	ended   chan struct{}
	crashes int // ends that nobody asked for
}

// start starts the process if it does not run.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted {
		return nil
	}
	p.wanted = true
	return p.launch()
}

// launch is for who holds the lock.
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
		// The kernel ends the child when the thread that started it ends: it has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(ended)
			p.gone(ended, cmd.ProcessState.String())
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.running, p.ended = cmd.Process, ended
	return nil
}

// gone starts a process again that was meant to run.
func (p *process) gone(ended chan struct{}, how string) {
	p.mu.Lock()
	mine := p.wanted && p.ended == ended
	if mine {
		p.crashes++
	}
	p.mu.Unlock()
	if !mine {
		return
	}
	p.log.Error("ENDED BY ITSELF", "process", p.name, "how", how, "log", p.logFile)
	time.Sleep(restartPause)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted && p.ended == ended {
		if err := p.launch(); err != nil {
			p.log.Error("cannot start again", "error", err)
		}
	}
}

// end sends a signal and returns when the process has ended. One that does not run is left alone.
func (p *process) end(signal syscall.Signal) error {
	p.mu.Lock()
	running, ended := p.running, p.ended
	p.wanted = false
	p.mu.Unlock()
	if running == nil {
		return nil
	}
	_ = running.Signal(signal) // it may have ended already
	select {
	case <-ended:
		return nil
	case <-time.After(stopPatience):
		_ = running.Kill()
		<-ended
		return fmt.Errorf("%s did not end within %s after %s, and was killed", p.name, stopPatience, signal)
	}
}

// stopPatience is above the bounds of both drains: 15 s of a loader, and as much of an edge.
const stopPatience = 20 * time.Second

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

func (p *process) crashed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crashes
}
