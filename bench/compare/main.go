//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/parts"
	"github.com/millrace/millrace/pkg/cli"
	"github.com/millrace/millrace/pkg/embedded"
)

type flags struct {
	common

	Edge      edgeCommand      `cmd:"" help:"The edge beside the bare limit, Apache Camel, and fastify with kafkajs."`
	Loader    loaderCommand    `cmd:"" help:"The loader beside the bare limit, ClickHouse's Kafka engine, a script in Python, and Apache SeaTunnel."`
	Freshness freshnessCommand `cmd:"" help:"Everything at once: the highest rate at which outcomes are fresh."`
	Growth    growthCommand    `cmd:"" help:"How cost grows with partitions, products, users, the size of messages and the table."`
	Skew      skewCommand      `cmd:"" help:"One product with nearly all of the traffic, spread over partitions or not, beside an even load."`
	Console   watchedCommand   `cmd:"" help:"The edge while somebody watches what comes in, and while nobody does."`
	All       allCommand       `cmd:"" help:"All of them, one after the other, and the report."`
	Load      loadCommand      `cmd:"" help:"Post Segment messages to a URL and time the answers."`
	Report    reportCommand    `cmd:"" help:"Put all that was measured into REPORT.md, with plots."`
}

// common is what all comparisons can be told.
type common struct {
	Bin    string `help:"Folder of edge, loader, millrace, bareedge and bareloader." default:"bin"`
	Jars   string `help:"Folder of Apache Kafka's jars." default:".kafka/jars"`
	Cache  string `help:"Folder where rivals are fetched to." default:".bench"`
	Dir    string `help:"Folder for data and logs of a run; default: a new one in the folder for temporary files, which goes with the run."`
	Out    string `help:"Folder for what is measured, one JSON file for each comparison." default:"bench/report"`
	Broker string `help:"kafka is Apache Kafka, kfake the laptop edition's broker, which needs no Java." enum:"kafka,kfake" default:"kafka"`
	Rounds int    `help:"How often each contender has its turn." default:"3"`
	Seed   uint64 `help:"Seed of the traffic." default:"1"`
}

const description = `Measures Millrace beside others, in turns, and writes what came out into bench/report.

"make bench" builds and fetches what is needed, runs everything and writes bench/report/REPORT.md. Each comparison can be run alone.`

func main() {
	embedded.RunChild()
	parts.ServeKfake()
	var c flags
	cli.Main(&c, "compare", description, func(ctx context.Context, parsed *kong.Context) error {
		parsed.BindTo(ctx, (*context.Context)(nil))
		return parsed.Run(&c.common, &c)
	})
}

type allCommand struct{}

// Run makes every comparison as it is by default. One that fails does not keep the others from being made.
func (*allCommand) Run(ctx context.Context, c *common, whole *flags) error {
	var failed error
	for _, one := range []struct {
		name string
		run  func(context.Context, *common) error
	}{{"edge", whole.Edge.Run}, {"loader", whole.Loader.Run}, {"freshness", whole.Freshness.Run}, {"growth", whole.Growth.Run}, {"skew", whole.Skew.Run}, {"console", whole.Console.Run}} {
		if err := one.run(ctx, c); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", one.name, err))
		}
	}
	return errors.Join(failed, whole.Report.Run(c))
}

// workplace makes the folder of a run; clean removes it, unless it was named.
func (c *common) workplace() (dir string, clean func(), err error) {
	if c.Dir != "" {
		dir, err = filepath.Abs(c.Dir)
		return dir, func() {}, err
	}
	dir, err = os.MkdirTemp("", "millrace-bench-*")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// retainBytes is what a partition keeps, about: enough for readers that lag, little enough for a laptop's disk.
const retainBytes = 64 << 20

// startBroker starts the broker that was chosen.
func (c *common) startBroker(ctx context.Context, dir string, retain int64) (*parts.Broker, error) {
	dir = filepath.Join(dir, "broker")
	if c.Broker == "kfake" {
		return parts.StartKfake(ctx, dir)
	}
	return parts.StartKafka(ctx, c.Jars, dir, retain)
}

// section begins the report of a comparison.
func (c *common) section(name, title string) *measure.Section {
	return &measure.Section{Name: name, Title: title, Command: command(os.Args[1:]), Machine: measure.ThisMachine(), Raw: map[string][]measure.Series{}}
}

// command is how a run was asked for, without the folders, which are the reader's own.
func command(args []string) string {
	line := "bin/compare"
	for i := 0; i < len(args); i++ {
		switch name, _, whole := strings.Cut(args[i], "="); name {
		case "--dir", "--jars", "--cache", "--out", "--bin":
			if !whole {
				i++
			}
		default:
			line += " " + args[i]
		}
	}
	return line
}

// stderr is the screen.
var stderr = os.Stderr

func say(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
