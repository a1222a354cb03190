package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/millrace/millrace/pkg/embedded/process"
)

// How long a start may take (an engine with many parts loads slowly), and how long the engine has to end after the
// command exit and after SIGTERM.
const (
	startTimeout = 60 * time.Second
	dialTimeout  = 2 * time.Second
	exitTimeout  = 10 * time.Second
	termTimeout  = 3 * time.Second
)

// listen is what the engine does first: it has no server mode, yet it can be told to listen.
const listen = "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP"

// ClickHouseConfig says where and how the engine runs.
type ClickHouseConfig struct {
	Dir         string       // data folder, made if need be; required
	TCPAddr     string       // native protocol, host:port; port 0 picks one; default 127.0.0.1:0
	HTTPAddr    string       // HTTP, on the same host; default 127.0.0.1:0
	Engine      Engine       // from FindEngine or FetchEngine; required
	Logger      *slog.Logger // default discards
	ExtraConfig string       // XML put into the settings, such as <remote_servers> or <macros>
}

// ClickHouse is a running engine that is started again whenever it ends.
type ClickHouse struct {
	engine   Engine
	args     []string
	dir      string
	addr     string
	httpAddr string
	lock     *os.File
	logger   *slog.Logger

	restarts atomic.Int64
	closing  chan struct{} // closed by Close
	watched  chan struct{} // closed when the watcher has returned
	closed   sync.Once

	mu      sync.Mutex
	process *process.Process // the latest run
}

// StartClickHouse starts the engine and returns once it answers on both ports. One process may use a
// data folder: a second start there fails with ErrInUse. The caller has to Close it; if this process is
// killed the engine ends by itself. ctx bounds the start only.
func StartClickHouse(ctx context.Context, config ClickHouseConfig) (*ClickHouse, error) {
	c, err := newClickHouse(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	p, err := c.launch(ctx)
	if err != nil {
		c.lock.Close()
		return nil, fmt.Errorf("start ClickHouse with %s in %s: %w", config.Engine, c.dir, err)
	}
	c.process = p
	go c.watch()
	return c, nil
}

// newClickHouse takes the folder's lock and writes everything that the runs share.
func newClickHouse(ctx context.Context, config ClickHouseConfig) (*ClickHouse, error) {
	if _, child := os.LookupEnv(childEnv); child {
		return nil, errors.New("BUG: this process was started to be the engine: call RunChild first thing in main")
	}
	if config.Dir == "" {
		return nil, errors.New("no data folder given")
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, err
	}
	c := &ClickHouse{
		engine: config.Engine, dir: dir, logger: config.Logger,
		closing: make(chan struct{}), watched: make(chan struct{}),
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	if c.lock, err = lockDir(ctx, dir); err != nil {
		return nil, err
	}
	if err = c.prepare(config); err != nil {
		c.lock.Close()
		return nil, err
	}
	return c, nil
}

func (c *ClickHouse) prepare(config ClickHouseConfig) error {
	host, tcpPort, httpPort, err := resolvePair(orLoopback(config.TCPAddr), orLoopback(config.HTTPAddr))
	if err != nil {
		return fmt.Errorf("choose ports: %w", err)
	}
	c.addr, c.httpAddr = joinPort(host, tcpPort), joinPort(host, httpPort)

	if err := os.MkdirAll(filepath.Join(c.dir, "home"), 0o755); err != nil {
		return err
	}
	settings := filepath.Join(c.dir, "settings.xml")
	if err := writeSettings(settings, c.LogFile(), config.ExtraConfig); err != nil {
		return err
	}
	c.args = []string{
		"--path", filepath.Join(c.dir, "data"), "--config-file", settings, "--log-level", "warning",
		"--listen_host", host, "--tcp_port", strconv.Itoa(tcpPort), "--http_port", strconv.Itoa(httpPort),
		"--highlight", "0", "--progress", "0", "--interactive", "--query", listen,
	}
	return nil
}

// resolvePair settles both addresses. The engine listens on one host.
func resolvePair(tcp, http string) (host string, tcpPort, httpPort int, err error) {
	host, tcpPort, err = resolve(tcp)
	if err != nil {
		return "", 0, 0, err
	}
	httpHost, httpPort, err := resolve(http)
	if err != nil {
		return "", 0, 0, err
	}
	if httpHost != host || httpPort == tcpPort {
		return "", 0, 0, fmt.Errorf("%s and %s must be two ports of one host", tcp, http)
	}
	return host, tcpPort, httpPort, nil
}

func orLoopback(addr string) string {
	if addr == "" {
		return "127.0.0.1:0"
	}
	return addr
}

// Addr is host:port of the native protocol; it stays the same over restarts of the engine.
func (c *ClickHouse) Addr() string { return c.addr }

// HTTPURL is the base URL of the HTTP interface, without a slash at its end.
func (c *ClickHouse) HTTPURL() string { return "http://" + c.httpAddr }

// LogFile is where the engine writes its warnings and errors; it is rotated at 10 MB, one old file is kept.
func (c *ClickHouse) LogFile() string { return filepath.Join(c.dir, "clickhouse.log") }

// Restarts counts how often the engine ended without being asked and was started again.
func (c *ClickHouse) Restarts() int64 { return c.restarts.Load() }

// Pid is the process id of the engine's latest run.
func (c *ClickHouse) Pid() int { return c.current().Pid() }

func (c *ClickHouse) current() *process.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.process
}

// Close stops the engine: it asks, after ten seconds sends SIGTERM, and kills it three seconds later or
// when ctx ends. What was acknowledged stays on disk in any case. Further calls do nothing.
func (c *ClickHouse) Close(ctx context.Context) error {
	var err error
	c.closed.Do(func() {
		close(c.closing)
		<-c.watched
		c.stop(ctx)
		err = c.lock.Close()
	})
	return err
}

func (c *ClickHouse) stop(ctx context.Context) {
	p := c.current()
	p.Type("exit\n")
	if !p.EndsWithin(ctx, exitTimeout) {
		_ = p.Stop(ctx, syscall.SIGTERM, termTimeout) // what was acknowledged is on disk
	}
}

// launch starts one run and waits until it answers. On an error nothing of it is left.
func (c *ClickHouse) launch(ctx context.Context) (*process.Process, error) {
	config, err := c.engine.command(c.args)
	if err != nil {
		return nil, err
	}
	// The engine keeps a history file, and paints less on a dumb terminal.
	config.Env = append(config.Env, "HOME="+filepath.Join(c.dir, "home"), "TERM=dumb")
	config.Files = []*os.File{c.lock} // see lockDir
	config.Dir = c.dir
	// Without a terminal, an engine before 26.8 aborts when a client connection is reset.
	config.Terminal = true
	p, err := process.Start(config)
	if err != nil {
		return nil, err
	}
	if err := p.Await(ctx, startTimeout, c.ping); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

var pingClient = &http.Client{Timeout: dialTimeout, Transport: &http.Transport{DisableKeepAlives: true}}

// ping asks over HTTP and then dials the native port, which the engine opens first.
func (c *ClickHouse) ping(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.HTTPURL()+"/?query=SELECT%201", nil)
	if err != nil {
		return err
	}
	response, err := pingClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(body)) != "1" {
		return fmt.Errorf("SELECT 1 is answered with %s: %s", response.Status, body)
	}
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	return conn.Close()
}
