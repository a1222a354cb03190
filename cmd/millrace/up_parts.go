package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/console"
	"github.com/millrace/millrace/pkg/console/auth"
	"github.com/millrace/millrace/pkg/edge"
	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/pkg/loader"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/token"
	"github.com/millrace/millrace/pkg/tracing"
	"github.com/millrace/millrace/pkg/warehouse"
)

const (
	upRetention  = 7 * 24 * time.Hour
	readyTimeout = time.Minute
	stopTimeout  = 20 * time.Second // for ClickHouse to end cleanly
)

// parts is everything that "up" runs, in the order of its start.
type parts struct {
	command  *upCommand
	registry *prometheus.Registry
	health   *telemetry.Health
	log      *slog.Logger
	report   *report

	key        token.Key
	broker     *embedded.Broker
	clickhouse *embedded.ClickHouse
	redis      *embedded.Redis
	memos      *connection.RedisProofs
	stream     *stream.Client
	tracers    []*tracing.Tracer
	edge       *edge.Service
	loader     *loader.Service
	reader     *warehouse.Reader
	console    *consolePart
	admin      *telemetry.Admin

	stopConsole context.CancelFunc
}

func (p *parts) start(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		p.checkConfig, p.openKey, p.startBroker, p.forgetReady, p.startClickHouse, p.migrate, p.startRedis, p.startEdge,
		p.startLoader, p.startConsole, p.startAdmin,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *parts) checkConfig(context.Context) error {
	if p.command.Loader.Warehouse.Cluster != "" {
		return errors.New("--clickhouse-cluster is of no use here: \"up\" runs one ClickHouse of its own")
	}
	return errors.Join(
		p.command.Edge.Validate(),
		p.command.Loader.Validate(),
		p.command.Redis.Validate(),
		p.command.Traces.Validate(),
		p.command.checkConsole(),
		p.command.checkPublicURL(),
	)
}

func (c *upCommand) checkPublicURL() error {
	if c.PublicURL == "" {
		return nil
	}
	return checkPublicURL(c.PublicURL)
}

// checkConsole lets pass that the console would be open to others than this machine: it is left out then, and
// everything else is not.
func (c *upCommand) checkConsole() error {
	if err := c.Console.Validate(c.Admin.Admin); !errors.Is(err, auth.ErrExposed) {
		return err
	}
	return nil
}

func (p *parts) openKey(context.Context) (err error) {
	p.key, err = ensureKey(p.command.Data)
	return err
}

func (p *parts) startBroker(ctx context.Context) (err error) {
	p.broker, err = embedded.StartBroker(embedded.BrokerConfig{
		Dir: filepath.Join(p.command.Data, "kafka"), Addr: p.command.Kafka,
		SyncWrites: p.command.SyncWrites, Logger: p.log,
	})
	if err != nil {
		return err
	}
	if p.stream, err = stream.NewClient(p.command.streamConfig(p.broker.Addr()), p.log, p.registry); err != nil {
		return err
	}
	return p.stream.EnsureTopics(ctx)
}

// forgetReady comes when the folder is known to be ours: its broker is locked.
func (p *parts) forgetReady(context.Context) error { return p.command.forgetReady() }

func (p *parts) startClickHouse(ctx context.Context) error {
	engine, found := embedded.FindEngine("")
	if !found {
		var err error
		if engine, err = embedded.FetchEngine(ctx, p.report.fetching); err != nil {
			return err
		}
		p.report.fetched()
	}
	w := &p.command.Loader.Warehouse
	clickhouse, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{
		Dir:     filepath.Join(p.command.Data, "clickhouse"),
		TCPAddr: w.ClickHouse, HTTPAddr: p.command.ClickHouseHTTP, Engine: engine, Logger: p.log,
	})
	if err != nil {
		return err
	}
	p.clickhouse = clickhouse
	w.ClickHouse, w.Compression = clickhouse.Addr(), "none" // it is on this machine
	return nil
}

func (p *parts) migrate(ctx context.Context) error {
	_, err := warehouse.Migrate(ctx, p.command.Loader.Warehouse)
	return err
}

// startRedis uses the Redis that is named, or one from PATH, or none: it only saves work.
func (p *parts) startRedis(ctx context.Context) (err error) {
	config := p.command.Redis
	if config.Redis == "" {
		p.redis, err = embedded.StartRedis(
			ctx,
			embedded.RedisConfig{Dir: filepath.Join(p.command.Data, "redis"), Logger: p.log},
		)
		if errors.Is(err, embedded.ErrNoRedis) {
			return nil
		}
		if err != nil {
			return err
		}
		config.Redis = "redis://" + p.redis.Addr()
	}
	p.memos, err = connection.NewRedisProofs(config)
	return err
}

func (p *parts) startEdge(context.Context) (err error) {
	deps := edge.Deps{Stream: p.stream, Key: p.key, Log: p.log, Metrics: p.registry, Health: p.health}
	if deps.Tracer, err = p.trace("millrace-edge"); err != nil {
		return err
	}
	if p.memos != nil {
		deps.Proofs = p.memos
	}
	p.edge, err = edge.New(p.command.Edge, deps)
	return err
}

func (p *parts) startLoader(context.Context) (err error) {
	deps := loader.Deps{Stream: p.stream, Log: p.log, Metrics: p.registry, Health: p.health}
	if deps.Tracer, err = p.trace("millrace-loader"); err != nil {
		return err
	}
	p.loader, err = loader.New(p.command.Loader, deps)
	return err
}

func (p *parts) trace(service string) (*tracing.Tracer, error) {
	tracer, err := p.command.Traces.Start(service, p.log)
	p.tracers = append(p.tracers, tracer)
	return tracer, err
}

// startConsole makes the console, which is on the admin address. It ends with its context, before everything else.
func (p *parts) startConsole(ctx context.Context) (err error) {
	ctx, p.stopConsole = context.WithCancel(context.WithoutCancel(ctx))
	if err := p.command.Console.Validate(p.command.Admin.Admin); err != nil {
		p.log.Warn("there is no console", "reason", err)
		return nil
	}
	if p.reader, err = warehouse.OpenReader(p.command.Loader.Warehouse); err != nil {
		return err
	}
	p.command.Console.Group = p.command.Loader.Consumer.Group
	p.console, err = newConsolePart(ctx, p.command.Console, p.command.Admin.Admin, consoleDeps{
		Client: p.stream, Key: p.key, Reader: p.reader,
		EdgeURL: p.publicURL(), Log: p.log, Metrics: p.registry,
	})
	return err
}

func (p *parts) startAdmin(context.Context) (err error) {
	var mounts []telemetry.Mount
	if p.console != nil {
		mounts = append(mounts, telemetry.Mount{Path: console.Base, Handler: p.console.Handler()})
	}
	p.admin, err = telemetry.NewAdmin(p.command.Admin, p.health, p.registry, p.log, mounts...)
	return err
}

// close ends what is running, the last started first.
func (p *parts) close() {
	if p.broker != nil { // else the folder is another's, and so are these
		_ = os.Remove(filepath.Join(p.command.Data, stateFile)) // not there if it never came up
		_ = p.command.forgetReady()                             // the same
	}
	for _, tracer := range p.tracers {
		tracer.Close()
	}
	if p.stopConsole != nil {
		p.stopConsole()
	}
	if p.reader != nil {
		_ = p.reader.Close() // it only reads
	}
	if p.memos != nil {
		_ = p.memos.Close() // nothing is lost with it
	}
	if p.redis != nil {
		p.redis.Close()
	}
	if p.stream != nil {
		p.stream.Close()
	}
	if p.clickhouse != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := p.clickhouse.Close(ctx); err != nil {
			p.log.Warn("ClickHouse did not end cleanly; what it has acknowledged is on the disk", "error", err)
		}
	}
	if p.broker != nil {
		p.broker.Close()
	}
}

func (p *parts) awaitReady(ctx context.Context) error {
	deadline := time.Now().Add(readyTimeout)
	for len(p.health.Unmet()) > 0 {
		if time.Now().After(deadline) {
			return fmt.Errorf("%w within %s: %v", errNotReady, readyTimeout, p.health.Unmet())
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
