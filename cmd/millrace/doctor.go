package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/cli"
	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/credential"
	"github.com/millrace/millrace/pkg/doctor"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/token"
	"github.com/millrace/millrace/pkg/warehouse"
)

type doctorCommand struct {
	Group  string `help:"The loaders' consumer group." default:"millrace-loader"`
	Output string `help:"text for people, json for programs." enum:"text,json" default:"text"`

	patient `embed:""`
}

// patient is what is looked at. It is not exported for the reason that kafka is not.
type patient struct {
	Data      string                 `help:"Data folder of a running \"up\"; not looked at when --brokers is set." default:"./data" placeholder:"DIR"`
	Key       credential.TokenKey    `embed:""`
	Stream    stream.Config          `embed:"" group:"Kafka:"`
	Warehouse warehouse.Config       `embed:"" group:"ClickHouse:"`
	Redis     connection.RedisConfig `embed:"" group:"Redis:"`
}

// Help is what stands above the flags.
func (*doctorCommand) Help() string {
	return `The doctor looks at everything that edges and loaders need, with the flags and variables that they are given, and changes
nothing. Each line says how something is, and what to change:

  ok    works
  warn  works, but should be changed
  fail  does not work, or breaks a promise

It ends with 1 if anything failed. Run it where an edge or a loader is to run: what is reached from there is what
counts.`
}

// doctorPart bounds the look at one server: one that does not answer must not keep the others waiting.
const doctorPart = 10 * time.Second

// Run looks at everything.
func (c *doctorCommand) Run(ctx context.Context, parsed *kong.Context) error {
	r := &doctor.Report{}
	if err := c.admit(r, parsed); err != nil {
		return err
	}
	for _, look := range []func(context.Context, *doctor.Report){
		c.lookAtKafka,
		func(ctx context.Context, r *doctor.Report) { warehouse.Diagnose(ctx, c.Warehouse, r) },
		func(ctx context.Context, r *doctor.Report) { connection.CheckRedis(ctx, c.Redis, r) },
	} {
		part, cancel := context.WithTimeout(ctx, doctorPart)
		look(part, r)
		cancel()
	}
	checkOpenFiles(r)
	write := r.Text
	if c.Output == "json" {
		write = r.JSON
	}
	if err := write(os.Stdout); err != nil {
		return err
	}
	if n := r.Count(doctor.Fail); n > 0 {
		return fmt.Errorf("%d of %s failed", n, doctor.Some(len(*r), "check"))
	}
	return nil
}

// admit finds out whom to look at: what a running "up" says, unless brokers are named. It looks at the key on the way.
func (c *doctorCommand) admit(r *doctor.Report, parsed *kong.Context) error {
	const check = "token key"
	if len(c.Stream.Brokers) > 0 {
		key, err := cli.TokenKey(&c.Key)
		if err != nil {
			r.Fail(check, "set MILLRACE_TOKEN_KEY to what every edge has", "%v", err)
			return nil
		}
		judgeKey(key, r)
		return nil
	}
	s, err := readState(c.Data)
	if err != nil {
		return err
	}
	if !given(parsed, "clickhouse") {
		c.Warehouse.ClickHouse, c.Warehouse.Database = s.ClickHouse, s.Database
		c.Warehouse.Cluster, c.Warehouse.Replicated = "", false // "up" has no cluster
	}
	c.Stream.Brokers = []string{s.Kafka}
	// "up" creates its topics with these settings.
	c.Stream.Replication, c.Stream.Retention, c.Stream.DeadLetterRetention = 1, upRetention, upRetention
	if c.Redis.Redis == "" {
		c.Redis.Redis = s.Redis
	}
	key, err := readKey(c.Data)
	if err != nil {
		r.Fail(check, "put the file back, or have a new one made with other URLs by a start without it", "%v", err)
		return nil
	}
	judgeKey(key, r)
	if info, err := os.Stat(filepath.Join(c.Data, keyFile)); err == nil && info.Mode()&(fs.ModePerm&0o077) != 0 {
		r.Warn(check, "chmod 600 "+filepath.Join(c.Data, keyFile), "the file can be read by others")
	}
	return nil
}

// given reports whether a flag has a value from the command line or the environment, rather than its default.
func given(parsed *kong.Context, name string) bool {
	for _, element := range parsed.Path {
		if element.Flag != nil && element.Flag.Name == name {
			return true
		}
	}
	for _, flag := range parsed.Flags() {
		for _, env := range flag.Envs {
			if _, set := os.LookupEnv(env); flag.Name == name && set {
				return true
			}
		}
	}
	return false
}

func judgeKey(key token.Key, r *doctor.Report) {
	const check = "token key"
	if !key.LooksRandom() {
		r.Warn(
			check,
			"make one with openssl rand -base64 32, have every edge use it, and rotate every connection",
			"does not look as if it had been made at random",
		)
		return
	}
	r.OK(check, "has the right shape; every edge and command must have the same (%s)", key.Fingerprint())
}

func (c *doctorCommand) lookAtKafka(ctx context.Context, r *doctor.Report) {
	client, err := stream.NewClient(c.Stream, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		r.Fail("kafka brokers", "correct that flag", "%v", err)
		return
	}
	defer client.Close()
	client.Diagnose(ctx, c.Group, r)
}
