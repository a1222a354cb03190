//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/pkg/cli"
	"github.com/millrace/millrace/pkg/embedded"
)

type flags struct {
	common

	Edge       edgeCommand       `cmd:"" help:"The edge beside the bare limit, Apache Camel, and fastify with kafkajs."`
	Loader     loaderCommand     `cmd:"" help:"The loader beside the bare limit, ClickHouse's Kafka engine, a script in Python, and Apache SeaTunnel."`
	Freshness  freshnessCommand  `cmd:"" help:"The whole pipeline: the highest rate at which outcomes are fresh."`
	Growth     growthCommand     `cmd:"" help:"How cost grows with partitions, products, users, the size of messages and the table."`
	Skew       skewCommand       `cmd:"" help:"One product with nearly all of the traffic, with salts and without, beside an even load."`
	Console    consoleCommand    `cmd:"" help:"The edge while browsers show the console, and without browsers."`
	All        allCommand        `cmd:"" help:"All of these, one after the other, and the report."`
	Load       loadCommand       `cmd:"" help:"Post Segment messages to a URL and measure the answers."`
	Report     reportCommand     `cmd:"" help:"Write REPORT.md with charts from all results."`
	Partitions partitionsCommand `cmd:"" help:"Print the load of the busiest partition, for docs/capacity.md."`
}

// common is the flags of all comparisons.
type common struct {
	Bin    string `help:"Folder of edge, loader, millrace, bareedge and bareloader." default:"bin"`
	Jars   string `help:"Folder of Apache Kafka's jars." default:".kafka/jars"`
	Cache  string `help:"Folder that baselines are downloaded to." default:".bench"`
	Dir    string `help:"Folder for data and logs of a run; by default a temporary folder, which is removed after the run."`
	Out    string `help:"Folder for the results, one JSON file for each comparison." default:"bench/report"`
	Broker string `help:"kafka is Apache Kafka; kfake is the laptop edition's broker, which needs no Java." enum:"kafka,kfake" default:"kafka"`
	Rounds int    `help:"Rounds of each contender." default:"3"`
	Seed   uint64 `help:"Seed of the traffic." default:"1"`
}

const description = `Compares Millrace with other programs, in alternating rounds, and writes the results to bench/report.

"make bench" builds and downloads what is needed, runs everything and writes bench/report/REPORT.md. Each comparison
can also run alone.`

func main() {
	embedded.RunChild()
	measure.ServeKfake()
	var c flags
	cli.Main(&c, "compare", description, func(ctx context.Context, parsed *kong.Context) error {
		parsed.BindTo(ctx, (*context.Context)(nil))
		return parsed.Run(&c.common, &c)
	})
}

type allCommand struct{}

// Run runs every comparison with its defaults, also after one that fails.
func (*allCommand) Run(ctx context.Context, c *common, all *flags) error {
	var failed error
	for _, one := range []struct {
		name string
		run  func(context.Context, *common) error
	}{
		{"edge", all.Edge.Run},
		{"loader", all.Loader.Run},
		{"freshness", all.Freshness.Run},
		{"growth", all.Growth.Run},
		{"skew", all.Skew.Run},
		{"console", all.Console.Run},
	} {
		if err := one.run(ctx, c); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", one.name, err))
		}
	}
	return errors.Join(failed, all.Report.Run(c))
}

// brokerSuffix keeps results with kfake apart from those with Apache Kafka.
func (c *common) brokerSuffix() string {
	if c.Broker == "kfake" {
		return "-kfake"
	}
	return ""
}

// command is the command line of the run, without the folders, which differ between readers.
func command(args []string) string {
	line := "bin/compare"
	for i := 0; i < len(args); i++ {
		switch name, _, joined := strings.Cut(args[i], "="); name {
		case "--dir", "--jars", "--cache", "--out", "--bin":
			if !joined {
				i++
			}
		default:
			line += " " + args[i]
		}
	}
	return line
}

var stderr = os.Stderr

// say prints a line of progress.
func say(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
