package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/console"
	"github.com/millrace/millrace/pkg/edge"
	"github.com/millrace/millrace/pkg/loader"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/tracing"
)

type upCommand struct {
	Data           string `help:"Folder that keeps everything; a second start on it goes on." default:"./data" placeholder:"DIR"`
	Kafka          string `help:"Address of the broker." default:"127.0.0.1:9092" placeholder:"ADDR"`
	ClickHouseHTTP string `name:"clickhouse-http" help:"ClickHouse's HTTP address." default:"127.0.0.1:8123" placeholder:"ADDR"`
	PublicURL      string `help:"Where senders reach the edge, if not at its own address: what URLs that are shown begin with." placeholder:"URL"`
	SyncWrites     bool   `help:"Have the broker write through to the disk before it acknowledges: nothing answered with 200 is lost to a power cut either, at a price in speed."`
	ReadyFile      string `help:"File to write when everything answers, as JSON, with the URL's token in it." placeholder:"FILE"`

	Edge    edge.Config            `embed:"" group:"Edge:"`
	Loader  loader.Config          `embed:"" group:"Loader:"`
	Topics  upTopics               `embed:"" group:"Kafka:"`
	Redis   connection.RedisConfig `embed:"" group:"Redis (by default one is started if redis-server is on PATH):"`
	Console console.Config         `embed:"" group:"Console:"`
	Admin   telemetry.AdminConfig  `embed:"" group:"Operation:"`
	Traces  tracing.Config         `embed:"" group:"Operation:"`
	Log     telemetry.LogConfig    `embed:"" group:"Operation:"`
}

// upTopics is what may be chosen of a broker that nobody else uses.
type upTopics struct {
	Partitions int32 `help:"Partitions of a topic that is created." default:"8"`
}

// Run starts everything, says how to use it, and stops it in the order that loses nothing.
func (c *upCommand) Run(ctx context.Context) error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	p := &parts{
		command:  c,
		registry: telemetry.NewRegistry(),
		health:   &telemetry.Health{},
		report:   newReport(os.Stdout),
	}
	p.log = c.Log.Logger(p.report)
	defer telemetry.Flush(p.log)
	defer p.close()
	if err := p.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it was up
		}
		return err
	}
	return p.run(ctx)
}

// run serves until ctx ends. The edge goes first: the loader then inserts what the edge has answered for,
// as far as a stop waits for it, and what is left is in the log for the next start.
func (p *parts) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	background := context.WithoutCancel(ctx)
	loaderCtx, stopLoader := context.WithCancel(background)
	adminCtx, stopAdmin := context.WithCancel(background)
	var group errgroup.Group
	stopConsole := context.AfterFunc(ctx, p.stopConsole) // browsers are let go at once
	defer stopConsole()
	fail := func(run func() error) func() error {
		return func() error {
			err := run()
			stop(err)
			return err
		}
	}
	group.Go(fail(func() error { return p.admin.Run(adminCtx) }))
	if p.console != nil {
		group.Go(fail(func() error { return p.console.Run(adminCtx) }))
	}
	group.Go(fail(func() error {
		defer stopAdmin()
		return p.loader.Run(loaderCtx)
	}))
	group.Go(fail(func() error {
		defer stopLoader()
		return p.edge.Run(ctx)
	}))
	group.Go(fail(func() error {
		err := p.announce(ctx)
		if err == nil {
			<-ctx.Done()
		}
		if ctx.Err() != nil {
			p.report.stopping()
			return nil
		}
		return err
	}))
	return group.Wait()
}

// announce waits until everything answers and says how to use it.
func (p *parts) announce(ctx context.Context) error {
	if err := p.awaitReady(ctx); err != nil {
		return err
	}
	demo, err := p.demo(ctx)
	if err != nil {
		return err
	}
	s := state{
		URL: p.publicURL(), Admin: p.admin.URL(), Kafka: p.broker.Addr(), ClickHouse: p.clickhouse.Addr(),
		ClickHouseURL: p.clickhouse.HTTPURL(), Database: p.command.Loader.Warehouse.Database,
	}
	if p.redis != nil {
		s.Redis = "redis://" + p.redis.Addr()
	}
	if err := writeWhole(filepath.Join(p.command.Data, stateFile), s); err != nil {
		return err
	}
	url := segmentURL(s.URL, demo.Token)
	if p.console != nil {
		p.console.RememberToken(demo.ID, demo.Token)
		s.Console = s.Admin + console.Base
	}
	if err := p.writeReadyFile(s, demo, url); err != nil {
		return err
	}
	p.report.welcome(p.command.Data, url, s)
	go p.report.live(ctx, p.registry)
	return nil
}

// publicURL is where senders reach the edge.
func (p *parts) publicURL() string {
	return cmp.Or(strings.TrimSuffix(p.command.PublicURL, "/"), p.edge.URL())
}

// ready is what the ready file says.
type ready struct {
	SegmentURL    string `json:"segment_url"`
	ConnectionID  string `json:"connection_id"`
	ProductID     string `json:"product_id"`
	Admin         string `json:"admin_url"`
	Kafka         string `json:"kafka"`
	ClickHouse    string `json:"clickhouse"`
	ClickHouseURL string `json:"clickhouse_url"`
	Database      string `json:"database"`
}

// forgetReady removes the file of a run before: who waits for it must not take that for this one's.
func (c *upCommand) forgetReady() error {
	if c.ReadyFile == "" {
		return nil
	}
	if err := os.Remove(c.ReadyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the ready file of a run before: %w", err)
	}
	return nil
}

func (p *parts) writeReadyFile(s state, demo demoConnection, url string) error {
	if p.command.ReadyFile == "" {
		return nil
	}
	return writeWhole(
		p.command.ReadyFile,
		ready{url, demo.ID, demo.Product, s.Admin, s.Kafka, s.ClickHouse, s.ClickHouseURL, s.Database},
	)
}

// streamConfig is for a broker of one node that is ours alone.
func (c *upCommand) streamConfig(broker string) stream.Config {
	return stream.Config{
		Brokers: []string{broker}, TopicPrefix: "millrace", Partitions: c.Topics.Partitions, Replication: 1,
		Retention: upRetention, DeadLetterRetention: upRetention,
	}
}

var errNotReady = errors.New("not everything came up")
