//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/millrace/millrace/bench/baselines"
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/stream"
)

type edgeCommand struct {
	Shapes    []string      `name:"shape" help:"Only these shapes of traffic: see bench/README.md. Results of other shapes at the same commit stay in the report."`
	Baselines []string      `name:"baseline" help:"Only these baselines; the edge always takes part."`
	For       time.Duration `help:"Measured time of a round." default:"8s"`
	Warm      time.Duration `help:"Warm-up time of a round, which is not measured." default:"2s"`
	Products  int           `help:"Products, each with its own connection." default:"32"`
	EdgeArgs  []string      `help:"More arguments for the edge." sep:"none"`
}

const (
	ours           = "Millrace"
	edgePartitions = 16
)

// edgeContender is a running edge or baseline.
type edgeContender struct {
	name    string
	process *measure.Process
	addr    string
	topic   string
	path    func(product int) string
}

// edgeComparison is the edge and its baselines, all running.
type edgeComparison struct {
	*edgeCommand
	*testbed
	rate       float64 // events a second in an open loop; 0 is a closed loop
	client     *stream.Client
	contenders []*edgeContender
	notes      []string
}

// Run measures the edge and its baselines.
func (e *edgeCommand) Run(ctx context.Context, c *common) error {
	a, err := e.open(ctx, c)
	if err != nil {
		return err
	}
	defer a.close()
	section := c.section("edge"+c.brokerSuffix(), "The edge, on "+a.broker.Name)
	if err := section.Resume(c.Out); err != nil {
		return err
	}
	for _, s := range shapes {
		if !selected(e.Shapes, s.name) {
			continue
		}
		series, err := a.compare(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		section.Raw[s.name] = series
		a.report(section)
		if err := section.Save(c.Out); err != nil {
			return err
		}
	}
	return nil
}

// selected reports whether a name is in the list. An empty list selects all.
func selected(names []string, name string) bool {
	return len(names) == 0 || slices.Contains(names, name)
}

// open starts the broker, the edge and the baselines.
func (e *edgeCommand) open(ctx context.Context, c *common) (*edgeComparison, error) {
	bed, err := c.newTestbed(ctx, retainBytes)
	if err != nil {
		return nil, err
	}
	a := &edgeComparison{edgeCommand: e, testbed: bed}
	if err := a.start(ctx); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *edgeComparison) start(ctx context.Context) (err error) {
	say("starting the edge and its baselines")
	const prefix = "edge"
	if a.client, err = a.broker.Stream(prefix, edgePartitions); err != nil {
		return err
	}
	a.onClose(a.client.Close)
	connections := measure.Connections{Products: productNames(a.Products)}
	edge, paths, err := a.startEdge(ctx, a.client, prefix, connections, a.EdgeArgs...)
	if err != nil {
		return err
	}
	a.add(&edgeContender{ours, edge.Process, edge.HTTP, a.client.Topics().Ingest, indexInto(paths)})
	for i, b := range baselines.Edges {
		if !selected(a.Baselines, b.Name) {
			continue
		}
		if err := a.startBaseline(ctx, fmt.Sprintf("baseline%d", i), b); err != nil {
			return fmt.Errorf("start %s: %w", b.Name, err)
		}
	}
	return nil
}

// startBaseline starts a baseline, or leaves it out with a note if the machine lacks what it needs.
func (a *edgeComparison) startBaseline(ctx context.Context, prefix string, b *baselines.Edge) error {
	client, err := a.broker.Stream(prefix, edgePartitions)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.AwaitTopics(ctx); err != nil {
		return err
	}
	topic := client.Topics().Ingest
	process, addr, err := b.Start(ctx, &baselines.Place{
		Bin: a.Bin, Cache: a.Cache, Dir: filepath.Join(a.dir, prefix), Broker: a.broker.Addr, Topic: topic,
	})
	if note, missing := leftOut(b.Name, err); missing {
		a.notes = append(a.notes, note)
		return nil
	}
	if err != nil {
		return err
	}
	a.add(
		&edgeContender{
			b.Name,
			process,
			addr,
			topic,
			func(product int) string { return "/in/" + traffic.Product(product) },
		},
	)
	return nil
}

// leftOut returns the note for a baseline that cannot run on this machine, and prints it.
func leftOut(name string, err error) (note string, missing bool) {
	var what *baselines.Missing
	if !errors.As(err, &what) {
		return "", false
	}
	note = fmt.Sprintf("%s does not take part: %v.", name, err)
	say("%s", note)
	return note, true
}

func (a *edgeComparison) add(e *edgeContender) {
	a.contenders = append(a.contenders, e)
	a.onClose(e.process.Stop)
}
