// Package process runs child processes: start, wait until ready, signal, stop, and read the end of the output. A child
// never outlives this process, however this process ends.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// Config says what to start, and how.
type Config struct {
	Name     string   // for error messages
	Path     string   // a program, looked up on PATH if it has no slash
	Args     []string // without the program's name
	Dir      string   // working directory; empty is ours
	Env      []string // added to our environment, or the whole environment if BareEnv is set
	BareEnv  bool
	LogFile  string     // standard output and error are appended to it; empty keeps the last lines in memory
	Terminal bool       // standard input, output and error are a pseudo-terminal
	Files    []*os.File // inherited, from file descriptor 3 on
}

// Process is a started program. It leads a process group of its own, so a terminal's Ctrl-C does not reach it.
type Process struct {
	name    string
	logFile string
	cmd     *exec.Cmd
	output  tail
	tty     *os.File // our end of the pseudo-terminal, or nil
	ended   chan struct{}
}

// Start starts the program and returns without waiting until it is ready: see Await.
func Start(c Config) (*Process, error) {
	p := &Process{name: c.Name, logFile: c.LogFile, cmd: exec.Command(c.Path, c.Args...), ended: make(chan struct{})}
	if p.name == "" {
		p.name = c.Path
	}
	p.cmd.Dir, p.cmd.Env, p.cmd.ExtraFiles = c.Dir, c.Env, c.Files
	if !c.BareEnv {
		p.cmd.Env = append(os.Environ(), c.Env...)
	}
	start := p.start
	if c.Terminal {
		start = p.startOnTerminal
	}
	if err := start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	return p, nil
}

func (p *Process) start() error {
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.WaitDelay = time.Second // a grandchild may hold the pipe
	if p.logFile != "" {
		log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer log.Close()
		p.cmd.Stdout, p.cmd.Stderr = log, log
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	watchdog, err := startWatchdog(p.cmd.Process.Pid)
	if err != nil {
		p.killGroup()
		_ = p.cmd.Wait()
		return fmt.Errorf("start its watchdog: %w", err)
	}
	go func() {
		_ = p.cmd.Wait() // State tells how it ended
		_ = watchdog.Process.Kill()
		_ = watchdog.Wait()
		close(p.ended)
	}()
	return nil
}

// startWatchdog starts a shell that kills the process group when we end: then the kernel closes the shell's input.
func startWatchdog(group int) (*exec.Cmd, error) {
	watchdog := exec.Command("sh", "-c", `read -r _; kill -9 -"$0"`, strconv.Itoa(group))
	watchdog.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := watchdog.StdinPipe(); err != nil {
		return nil, err
	}
	return watchdog, watchdog.Start()
}

// startOnTerminal needs no watchdog: the kernel hangs up the terminal when we end.
func (p *Process) startOnTerminal() (err error) {
	if p.tty, err = pty.StartWithSize(p.cmd, &pty.Winsize{Rows: 50, Cols: 200}); err != nil {
		return err
	}
	go func() {
		// A process whose output is not read stops at a full buffer. Reading fails when the process closes its end.
		_, _ = io.Copy(&p.output, p.tty)
		_ = p.cmd.Wait()
		p.tty.Close()
		close(p.ended)
	}()
	return nil
}

// Pid is the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Ended is closed when the process has ended and its output has been read.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// State waits for the end and says how the process ended, such as "exit status 1".
func (p *Process) State() string {
	<-p.ended
	return p.cmd.ProcessState.String()
}

// Type writes to the pseudo-terminal.
func (p *Process) Type(text string) {
	_, _ = io.WriteString(p.tty, text) // fails if the process has ended
}

// Signal sends a signal to the process. One that has ended is no error.
func (p *Process) Signal(signal os.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to %s: %w", signal, p.name, err)
	}
	return nil
}

// Stop sends a signal, waits until the process has ended, and then kills the rest of its group. A process that has not
// ended when ctx ends or after the timeout is killed, which is an error.
func (p *Process) Stop(ctx context.Context, signal os.Signal, timeout time.Duration) error {
	_ = p.Signal(signal)
	ended := p.EndsWithin(ctx, timeout)
	p.Kill()
	if !ended {
		return fmt.Errorf("%s did not end within %s after %s and was killed", p.name, timeout, signal)
	}
	return nil
}

// EndsWithin waits for the process to end, at most until ctx ends.
func (p *Process) EndsWithin(ctx context.Context, timeout time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-ctx.Done():
	case <-time.After(timeout):
	}
	return false
}

// Kill sends SIGKILL to the process group and returns when the process has ended.
func (p *Process) Kill() {
	p.killGroup()
	<-p.ended
}

func (p *Process) killGroup() { _ = syscall.Kill(-p.Pid(), syscall.SIGKILL) }
