// Command loader takes messages out of Kafka, makes events of them and puts those into ClickHouse. It
// knows nothing of HTTP.
package main

import (
	"cmp"
	"context"
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace/pkg/cli"
	"github.com/millrace/millrace/pkg/loader"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/tracing"
)

type flags struct {
	Version kong.VersionFlag `help:"Show version, commit, Go version and schema, and exit." env:"-"`

	DryRun      bool  `help:"Check the configuration and end."`
	Healthcheck bool  `help:"Ask the one that runs and has this --admin whether it is ready, and end: with an error if it is not. For containers."`
	Memory      int64 `help:"Bytes that the garbage collector aims to stay under. It gives up on that before it stops the work." default:"377487360"`

	Loader loader.Config         `embed:"" group:"Loader:"`
	Stream stream.Config         `embed:"" group:"Kafka:"`
	Admin  telemetry.AdminConfig `embed:"" group:"Operation:"`
	Traces tracing.Config        `embed:"" group:"Operation:"`
	Log    telemetry.LogConfig   `embed:"" group:"Operation:"`
}

func main() {
	var c flags
	cli.Main(
		&c,
		"loader",
		"Makes events of the messages in Kafka and inserts them into ClickHouse. The tables are made by millrace migrate.",
		func(ctx context.Context, _ *kong.Context) error { return c.run(ctx) },
	)
}

func (c *flags) run(ctx context.Context) error {
	if c.Healthcheck {
		return telemetry.Check(ctx, c.Admin)
	}
	if err := cmp.Or(c.Loader.Validate(), c.Traces.Validate()); err != nil {
		return err
	}
	// Messages become columns at once and are garbage then: a tighter collector costs little here.
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(c.Memory)
	log, registry, health := c.Log.Logger(os.Stderr), telemetry.NewRegistry(), &telemetry.Health{}
	defer telemetry.Flush(log)
	client, err := stream.NewClient(c.Stream, log, registry)
	if err != nil || c.DryRun {
		return err
	}
	defer client.Close()
	tracer, err := c.Traces.Start("millrace-loader", log)
	if err != nil {
		return err
	}
	defer tracer.Close()
	service, err := loader.New(
		c.Loader,
		loader.Deps{Stream: client, Log: log, Metrics: registry, Health: health, Tracer: tracer},
	)
	if err != nil {
		return err
	}
	admin, err := telemetry.NewAdmin(c.Admin, health, registry, log)
	if err != nil {
		return err
	}
	log.Info("loader started", "version", cli.Version(), "group", c.Loader.Consumer.Group, "admin", admin.URL())
	return telemetry.RunWith(ctx, admin, service.Run)
}
