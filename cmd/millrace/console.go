package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/millrace/millrace/pkg/cli"
	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/console"
	"github.com/millrace/millrace/pkg/console/auth"
	"github.com/millrace/millrace/pkg/console/query"
	"github.com/millrace/millrace/pkg/credential"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/token"
	"github.com/millrace/millrace/pkg/warehouse"
)

type consoleCommand struct {
	Serve        consoleServe        `cmd:"" default:"withargs" help:"Serve the console until it is told to stop."`
	HashPassword consoleHashPassword `cmd:"" help:"Ask for a password and print its scrypt hash, for --console-password-file."`
}

type consoleServe struct {
	Listen    string `help:"Address of the console. Other than on loopback it demands a password or a proxy's word: see --console-password-file." default:"127.0.0.1:8090" placeholder:"ADDR"`
	Data      string `help:"Data folder of a running \"up\"; not looked at when --brokers is set." default:"./data" placeholder:"DIR"`
	PublicURL string `help:"Where senders reach the edge, with --brokers." default:"http://127.0.0.1:8080" placeholder:"URL"`
	DryRun    bool   `help:"Check the configuration and end."`

	consoleFlags `embed:""`
}

// consoleFlags are not exported for the reason that kafka is not.
type consoleFlags struct {
	Console   console.Config        `embed:"" group:"Console:"`
	Key       credential.TokenKey   `embed:"" group:"Kafka:"`
	Stream    stream.Config         `embed:"" group:"Kafka:"`
	Warehouse warehouse.Config      `embed:"" group:"ClickHouse:"`
	Admin     telemetry.AdminConfig `embed:"" group:"Operation:" set:"admin=127.0.0.1:8091"`
	Log       telemetry.LogConfig   `embed:"" group:"Operation:"`
}

// Help is what stands above the commands.
func (*consoleCommand) Help() string { return (*consoleServe)(nil).Help() }

// Help is what stands above the flags.
func (*consoleServe) Help() string {
	return `The console is Millrace in a browser: connect a source, watch its messages arrive, see what came of them. "millrace up" has it already,
on its admin address under /console; this serves it where edges and loaders run apart.

  millrace console                                          for the "up" that runs on ./data
  millrace console --brokers kafka:9092 --clickhouse ch:9000 --token-key-file key --public-url https://in.example.com

Who can reach it can read all messages and write new URLs. On other addresses than loopback it demands a password:

  millrace console hash-password > password
  millrace console --listen :8090 --console-password-file password …`
}

// Run serves the console.
func (c *consoleServe) Run(ctx context.Context) error {
	apart := len(c.Stream.Brokers) > 0 // else the topics are those of an "up"
	key, err := c.resolve()
	if err != nil {
		return err
	}
	if err := errors.Join(
		c.Console.Validate(c.Listen),
		c.Warehouse.Validate(),
		checkPublicURL(c.PublicURL),
	); err != nil {
		return err
	}
	log, metrics := c.Log.Logger(os.Stderr), telemetry.NewRegistry()
	defer telemetry.Flush(log)
	client, err := stream.NewClient(c.Stream, log, metrics)
	if err != nil || c.DryRun {
		return err
	}
	defer client.Close()
	if apart {
		if err := client.AwaitTopics(ctx); err != nil {
			return err
		}
	}
	reader, err := warehouse.OpenReader(c.Warehouse)
	if err != nil {
		return err
	}
	defer reader.Close()
	part, err := newConsolePart(
		ctx,
		c.Console,
		c.Listen,
		consoleDeps{Client: client, Key: key, Reader: reader, EdgeURL: c.PublicURL, Log: log, Metrics: metrics},
	)
	if err != nil {
		return err
	}
	return c.serve(ctx, part, metrics, log)
}

func (c *consoleServe) serve(
	ctx context.Context,
	part *consolePart,
	metrics *prometheus.Registry,
	log *slog.Logger,
) error {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen for browsers: %w (choose another address with --listen)", err)
	}
	mux := http.NewServeMux()
	pages := part.Handler()
	mux.Handle(console.Base, pages)
	mux.Handle(console.Base+"/", pages)
	mux.Handle("GET /{$}", http.RedirectHandler(console.Base, http.StatusSeeOther))
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	admin, err := telemetry.NewAdmin(c.Admin, &telemetry.Health{}, metrics, log)
	if err != nil {
		return err
	}
	fmt.Printf("The console is at http://%s%s\n", listener.Addr(), console.Base)
	return telemetry.RunWith(ctx, admin, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return part.Run(ctx) })
		group.Go(func() error {
			stop := context.AfterFunc(ctx, func() { server.Close() })
			defer stop()
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve the console: %w", err)
			}
			return nil
		})
		return group.Wait()
	})
}

// checkPublicURL refuses what no webhook's URL can begin with.
func checkPublicURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("--public-url must be where senders reach the edge, of the form https://in.example.com")
	}
	return nil
}

// resolve fills in what a running "up" says.
func (c *consoleServe) resolve() (token.Key, error) {
	if len(c.Stream.Brokers) > 0 {
		return cli.TokenKey(&c.Key)
	}
	s, err := readState(c.Data)
	if err != nil {
		return token.Key{}, err
	}
	c.Stream.Brokers, c.PublicURL = []string{s.Kafka}, s.URL
	c.Warehouse.ClickHouse, c.Warehouse.Database = s.ClickHouse, s.Database
	return readKey(c.Data)
}

// consolePart is a console and the registry of connections that it follows.
type consolePart struct {
	*console.Console
	registry *connection.Registry
}

type consoleDeps struct {
	Client  *stream.Client
	Key     token.Key
	Reader  *warehouse.Reader
	EdgeURL string
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

func newConsolePart(ctx context.Context, config console.Config, listen string, d consoleDeps) (*consolePart, error) {
	connections := d.Client.ConnectionsTopic()
	registry := connection.NewRegistry(connections, connection.NewMetrics(nil))
	store := connection.NewStore(connection.StoreConfig{Key: d.Key, Log: connections, Registry: registry})
	made, err := console.New(ctx, config, listen, console.Deps{
		Connections: store, Stream: d.Client, Query: query.New(d.Reader),
		EdgeURL: d.EdgeURL, Log: d.Log, Metrics: d.Metrics,
	})
	return &consolePart{made, registry}, err
}

// Run follows the registry until ctx ends.
func (p *consolePart) Run(ctx context.Context) error { return p.registry.Run(ctx) }

type consoleHashPassword struct{}

// Run prints the hash.
func (*consoleHashPassword) Run() error {
	password, err := readPassword()
	if err != nil {
		return err
	}
	hash, err := auth.HashPassword(password.Reveal())
	if err != nil {
		return err
	}
	fmt.Println(hash)
	return nil
}

// readPassword asks twice on a terminal, and takes the first line of anything else.
func readPassword() (token.Secret, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return token.Secret{}, fmt.Errorf("read the password from standard input: %w", err)
		}
		return token.NewSecret(strings.TrimRight(line, "\r\n")), nil
	}
	var texts [2]string
	for n, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(os.Stderr, prompt)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return token.Secret{}, fmt.Errorf("read the password: %w", err)
		}
		texts[n] = string(b)
	}
	if texts[0] != texts[1] {
		return token.Secret{}, errors.New("these are two passwords: nothing was made")
	}
	return token.NewSecret(texts[0]), nil
}
