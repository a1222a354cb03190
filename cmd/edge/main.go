// Command edge takes events over HTTP and keeps them safe in Kafka. It knows nothing of ClickHouse.
package main

import (
	"cmp"
	"context"
	"os"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace/pkg/cli"
	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/credential"
	"github.com/millrace/millrace/pkg/edge"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/tracing"
)

type flags struct {
	Version kong.VersionFlag `help:"Show version, commit, Go version and schema, and exit." env:"-"`

	Key         credential.TokenKey `embed:""`
	DryRun      bool                `help:"Check the configuration and end."`
	Healthcheck bool                `help:"Ask the one that runs and has this --admin whether it is ready, and end: with an error if it is not. For containers."`

	Edge   edge.Config            `embed:"" group:"Edge:"`
	Stream stream.Config          `embed:"" group:"Kafka:"`
	Redis  connection.RedisConfig `embed:"" group:"Redis:"`
	Admin  telemetry.AdminConfig  `embed:"" group:"Operation:"`
	Traces tracing.Config         `embed:"" group:"Operation:"`
	Log    telemetry.LogConfig    `embed:"" group:"Operation:"`
}

func main() {
	var c flags
	cli.Main(&c, "edge", "Takes events over HTTP and answers 200 when they are safe in Kafka.",
		func(ctx context.Context, _ *kong.Context) error { return c.run(ctx) })
}

func (c *flags) run(ctx context.Context) error {
	if c.Healthcheck {
		return telemetry.Check(ctx, c.Admin)
	}
	key, err := cli.TokenKey(&c.Key)
	if err != nil {
		return err
	}
	if err := cmp.Or(c.Edge.Validate(), c.Redis.Validate(), c.Traces.Validate()); err != nil {
		return err
	}
	log, registry, health := c.Log.Logger(os.Stderr), telemetry.NewRegistry(), &telemetry.Health{}
	defer telemetry.Flush(log)
	client, err := stream.NewClient(c.Stream, log, registry)
	if err != nil || c.DryRun {
		return err
	}
	defer client.Close()
	tracer, err := c.Traces.Start("millrace-edge", log)
	if err != nil {
		return err
	}
	defer tracer.Close()
	deps := edge.Deps{Stream: client, Key: key, Log: log, Metrics: registry, Health: health, Tracer: tracer}
	if c.Redis.Redis != "" {
		memos, err := connection.NewRedisProofs(c.Redis)
		if err != nil {
			return err
		}
		defer memos.Close()
		deps.Proofs = memos
	}
	service, err := edge.New(c.Edge, deps)
	if err != nil {
		return err
	}
	admin, err := telemetry.NewAdmin(c.Admin, health, registry, log)
	if err != nil {
		return err
	}
	log.Info("edge started", "version", cli.Version(), "http", service.URL(), "admin", admin.URL())
	return telemetry.RunWith(ctx, admin, service.Run)
}
