package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// How long a Redis may take to start, and to stop before it is killed.
const (
	redisStartPatience = 10 * time.Second
	redisStopPatience  = 5 * time.Second
)

// ErrNoRedis says that there is no redis-server on PATH. Millrace works without one.
var ErrNoRedis = errors.New("redis-server is not on PATH")

// RedisConfig says where Redis works.
type RedisConfig struct {
	Dir    string       // working folder, made if need be; required
	Logger *slog.Logger // default discards
}

// Redis is a redis-server on a free loopback port, without persistence.
type Redis struct {
	addr   string
	cmd    *exec.Cmd
	guard  *exec.Cmd
	output tail
	ended  chan struct{} // closed when redis-server has ended
	closed sync.Once
}

// StartRedis starts a Redis and returns once it answers. It ends with Close, or when this process is
// killed. The error is ErrNoRedis where it is not installed. ctx bounds the start only.
func StartRedis(ctx context.Context, config RedisConfig) (*Redis, error) {
	server, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrNoRedis
	}
	r := &Redis{ended: make(chan struct{})}
	if err := r.start(server, config.Dir); err != nil {
		return nil, fmt.Errorf("start Redis: %w", err)
	}
	if err := r.waitReady(ctx); err != nil {
		r.Close()
		return nil, fmt.Errorf("start Redis: %w; its last words:\n%s", err, &r.output)
	}
	if config.Logger != nil {
		config.Logger.Debug("Redis is ready", "addr", r.addr, "pid", r.cmd.Process.Pid)
	}
	return r, nil
}

func (r *Redis) start(server, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	host, port, err := resolve("127.0.0.1:0")
	if err != nil {
		return err
	}
	r.addr = joinPort(host, port)
	r.cmd = exec.Command(server, "--bind", host, "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no")
	r.cmd.Dir = dir
	r.cmd.Stdout, r.cmd.Stderr = &r.output, &r.output
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.cmd.Start(); err != nil {
		return err
	}
	if err := r.startGuard(); err != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
		return err
	}
	go r.wait()
	return nil
}

// startGuard starts a shell that waits on a pipe from us and ends the Redis when the pipe closes, which
// the kernel does if we are killed. Redis itself ignores a terminal's hang-up.
func (r *Redis) startGuard() error {
	r.guard = exec.Command("sh", "-c", `read -r _; kill "$0"`, strconv.Itoa(r.cmd.Process.Pid))
	r.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := r.guard.StdinPipe(); err != nil {
		return err
	}
	return r.guard.Start()
}

// wait ends the guard before the process id can become somebody else's.
func (r *Redis) wait() {
	_ = r.cmd.Wait()
	_ = r.guard.Process.Kill()
	_ = r.guard.Wait()
	close(r.ended)
}

func (r *Redis) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, redisStartPatience)
	defer cancel()
	for {
		err := r.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-r.ended:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer (%w): %w", err, ctx.Err())
		case <-time.After(readyPoll):
		}
	}
}

func (r *Redis) ping(ctx context.Context) error {
	conn, err := (&net.Dialer{Timeout: readyTimeout}).DialContext(ctx, "tcp", r.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(readyTimeout)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return err
	}
	answer := make([]byte, len("+PONG\r\n"))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if string(answer) != "+PONG\r\n" {
		return fmt.Errorf("PING is answered with %q", answer)
	}
	return nil
}

// Addr is host:port.
func (r *Redis) Addr() string { return r.addr }

// Close stops the Redis; all it held is gone. Further calls do nothing.
func (r *Redis) Close() {
	r.closed.Do(func() {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-r.ended:
		case <-time.After(redisStopPatience):
			_ = r.cmd.Process.Kill()
			<-r.ended
		}
	})
}
