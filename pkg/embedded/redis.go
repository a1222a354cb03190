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
	"syscall"
	"time"

	"github.com/millrace/millrace/pkg/embedded/process"
)

// How long a Redis may take to start, and to stop before it is killed.
const (
	redisStartTimeout = 10 * time.Second
	redisStopTimeout  = 5 * time.Second
)

// ErrNoRedis says that there is no redis-server on PATH. Millrace works without one.
var ErrNoRedis = errors.New("redis-server is not on PATH")

// RedisConfig says where Redis works.
type RedisConfig struct {
	Dir    string       // working folder, created if missing; required
	Logger *slog.Logger // default discards
}

// Redis is a redis-server on a free loopback port, without persistence.
type Redis struct {
	addr    string
	process *process.Process
}

// StartRedis starts a Redis and returns once it answers. It ends with Close, or when this process ends. The error is
// ErrNoRedis if it is not installed. ctx bounds the start only.
func StartRedis(ctx context.Context, config RedisConfig) (*Redis, error) {
	server, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrNoRedis
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start Redis: %w", err)
	}
	host, port, err := resolve("127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start Redis: %w", err)
	}
	r := &Redis{addr: joinPort(host, port)}
	r.process, err = process.Start(process.Config{
		Name: "Redis", Path: server, Dir: config.Dir,
		Args: []string{"--bind", host, "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no"},
	})
	if err != nil {
		return nil, err
	}
	if err := r.process.Await(ctx, redisStartTimeout, r.ping); err != nil {
		r.Close()
		return nil, err
	}
	if config.Logger != nil {
		config.Logger.Debug("Redis is ready", "addr", r.addr, "pid", r.process.Pid())
	}
	return r, nil
}

func (r *Redis) ping(ctx context.Context) error {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", r.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
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

// Close stops the Redis; all it held is lost. Further calls do nothing.
func (r *Redis) Close() {
	_ = r.process.Stop(context.Background(), syscall.SIGTERM, redisStopTimeout)
}
