//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/bench/baselines"
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/parts"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/token"
)

type edgeCommand struct {
	Shapes   []string      `name:"shape" help:"Only these shapes of traffic: see bench/README.md. What was measured of others at the same commit stays in the report."`
	Rivals   []string      `name:"rival" help:"Only these rivals; the edge is always there."`
	For      time.Duration `help:"How long a turn counts." default:"8s"`
	Warm     time.Duration `help:"How long it is sent to before that." default:"2s"`
	Products int           `help:"Products, each with a connection of its own." default:"32"`
	EdgeArgs []string      `help:"More arguments for the edge." sep:"none"`
}

const (
	ours           = "Millrace"
	edgePartitions = 16
)

// entrant is a running edge, ours or another's.
type entrant struct {
	name    string
	process *measure.Process
	addr    string
	topic   string
	path    func(product int) string
}

// arena is what an edge comparison runs on.
type arena struct {
	*edgeCommand
	common   *common
	dir      string
	rate     float64 // events a second in an open loop; 0 is a closed one
	broker   *parts.Broker
	stream   *stream.Client
	entrants []*entrant
	notes    []string
	closers  []func()
}

// Run measures the edge beside the others.
func (e *edgeCommand) Run(ctx context.Context, c *common) error {
	dir, clean, err := c.workplace()
	if err != nil {
		return err
	}
	defer clean()
	a := &arena{edgeCommand: e, common: c, dir: dir}
	defer a.close()
	if err := a.open(ctx); err != nil {
		return err
	}
	name := "edge"
	if c.Broker == "kfake" {
		name += "-kfake"
	}
	section := c.section(name, "The edge, on "+a.broker.Name)
	if err := section.Resume(c.Out); err != nil {
		return err
	}
	for _, s := range shapes {
		if !wanted(e.Shapes, s.name) {
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

// wanted tells whether one is among those named; none named are all.
func wanted(named []string, one string) bool {
	for _, n := range named {
		if n == one {
			return true
		}
	}
	return len(named) == 0
}

func (a *arena) close() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		a.closers[i]()
	}
}

func (a *arena) open(ctx context.Context) (err error) {
	say("starting the broker, the edge and its rivals; logs are in %s", a.dir)
	if a.broker, err = a.common.startBroker(ctx, a.dir, retainBytes); err != nil {
		return err
	}
	a.closers = append(a.closers, a.broker.Stop)
	if a.stream, err = a.broker.Stream("edge", edgePartitions); err != nil {
		return err
	}
	a.closers = append(a.closers, a.stream.Close)
	if err := a.openOurs(ctx); err != nil {
		return err
	}
	for i, r := range baselines.Edges {
		if !wanted(a.Rivals, r.Name) {
			continue
		}
		if err := a.openRival(ctx, fmt.Sprintf("rival%d", i), r); err != nil {
			return fmt.Errorf("start %s: %w", r.Name, err)
		}
	}
	return nil
}

func (a *arena) openOurs(ctx context.Context) error {
	key := token.NewKey()
	products := make([]string, a.Products)
	for i := range products {
		products[i] = traffic.Product(i)
	}
	paths, err := parts.Connect(ctx, a.stream, key, products...)
	if err != nil {
		return err
	}
	edge, err := parts.StartEdge(ctx, a.common.Bin, a.dir, a.broker, "edge", key, a.EdgeArgs...)
	if err != nil {
		return err
	}
	a.enter(&entrant{ours, edge.Process, edge.HTTP, a.stream.Topics().Ingest, func(product int) string { return paths[product] }})
	return nil
}

func (a *arena) openRival(ctx context.Context, prefix string, r *baselines.Edge) error {
	topics, err := a.broker.Stream(prefix, edgePartitions)
	if err != nil {
		return err
	}
	defer topics.Close()
	if err := topics.AwaitTopics(ctx); err != nil {
		return err
	}
	topic := topics.Topics().Ingest
	process, addr, err := r.Start(ctx, &baselines.Place{Bin: a.common.Bin, Cache: a.common.Cache, Dir: filepath.Join(a.dir, prefix), Broker: a.broker.Addr, Topic: topic})
	var missing *baselines.Missing
	if errors.As(err, &missing) {
		say("%s is left out: %v", r.Name, err)
		a.notes = append(a.notes, fmt.Sprintf("%s is left out: %v.", r.Name, err))
		return nil
	}
	if err != nil {
		return err
	}
	a.enter(&entrant{r.Name, process, addr, topic, func(product int) string { return "/in/" + traffic.Product(product) }})
	return nil
}

func (a *arena) enter(e *entrant) {
	a.entrants = append(a.entrants, e)
	a.closers = append(a.closers, e.process.Stop)
}
