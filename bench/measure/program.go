//go:build linux

package measure

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/millrace/millrace/pkg/embedded/process"
)

// Program is an executable with its arguments.
type Program struct {
	Name string // in errors, and of the log file
	Path string
	Args []string
	Env  []string // added to this process's environment
	Dir  string   // working directory, which also gets the log
}

// Process is a running program with all processes that it has started.
type Process struct{ *process.Process }

// Start starts the program. To wait until it is ready, use AwaitPort or AwaitOK.
func (p Program) Start() (*Process, error) {
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, err
	}
	started, err := process.Start(process.Config{
		Name: p.Name, Path: p.Path, Args: p.Args, Env: p.Env, Dir: p.Dir,
		LogFile: filepath.Join(p.Dir, p.Name+".log"),
	})
	if err != nil {
		return nil, err
	}
	return &Process{started}, nil
}

const (
	readyTimeout = 90 * time.Second
	stopTimeout  = 30 * time.Second
)

// Stop sends SIGTERM and returns when the process has ended. After stopTimeout it kills the process.
func (p *Process) Stop() {
	_ = p.Process.Stop(context.Background(), syscall.SIGTERM, stopTimeout) // killing it is not an error here
}

// AwaitPort returns when host:port accepts connections.
func (p *Process) AwaitPort(ctx context.Context, addr string) error {
	return p.Await(ctx, readyTimeout, process.Listens(addr))
}

// AwaitOK returns when a URL answers 200.
func (p *Process) AwaitOK(ctx context.Context, url string) error {
	return p.Await(ctx, readyTimeout, process.AnswersOK(url))
}
