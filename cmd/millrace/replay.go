package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/stream"
)

type replayCommand struct {
	From            string   `help:"Replay what was received since then: a time such as 2026-05-18T12:00:00Z, a duration before now such as 36h, or \"start\" for all that is kept." placeholder:"WHEN"`
	FromOffset      []string `help:"Replay from there instead, and only in the partitions named: 0:1500,3:0 for the ingest topic's, dead-letters/2:17 for those of the dead letters." placeholder:"PARTITION:OFFSET"`
	Until           string   `help:"Up to then, written as --from. As it comes, all that is there when the command begins." placeholder:"WHEN"`
	Workspace       []string `help:"Only this workspace's; can be given several times." sep:"none" placeholder:"ID"`
	Product         []string `help:"Only this product's; can be given several times." sep:"none" placeholder:"ID"`
	DeadLetters     bool     `help:"Dead letters too." xor:"letters"`
	OnlyDeadLetters bool     `help:"Dead letters and nothing else." xor:"letters"`
	Reason          []string `help:"Of the dead letters only those with this reason; can be given several times. Needs --only-dead-letters." sep:"none" placeholder:"CODE"`
	Rate            int      `help:"Records a second at most, so that the loaders keep up with what comes in meanwhile; 0 is no limit." placeholder:"N"`
	DryRun          bool     `help:"Read and count, and write nothing."`

	kafka `embed:""`
}

// kafka says where the log is. It is not exported, for its brokers are not to be checked before a data folder has
// named them.
type kafka struct {
	Data   string        `help:"Data folder of a running \"up\"; not looked at when --brokers is set." default:"./data" placeholder:"DIR"`
	Stream stream.Config `embed:"" group:"Kafka:"`
}

func (k *kafka) client() (*stream.Client, error) {
	if len(k.Stream.Brokers) == 0 {
		s, err := readState(k.Data)
		if err != nil {
			return nil, err
		}
		k.Stream.Brokers = []string{s.Kafka}
	}
	return stream.NewClient(k.Stream, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

// Help is what stands above the flags.
func (*replayCommand) Help() string {
	return `A replay writes messages that Kafka still has to the ingest topic once more, as they were received. The loaders map
them again, and the results replace the stored rows: after a fix of the mapping, or where rows were lost.
Replaying the same messages twice changes nothing.

  millrace replay --from 36h --dry-run                     what would it be?
  millrace replay --from 36h --product shop --rate 5000    one product's, beside the daily business
  millrace replay --from start --only-dead-letters --reason mapper_bug

It can be stopped at any time, and says how to go on.`
}

// Run replays.
func (c *replayCommand) Run(ctx context.Context) error {
	began := time.Now()
	if c.Rate < 0 {
		return fmt.Errorf("--rate is %d, but must be a number of records a second, or 0", c.Rate)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	reach, err := c.reach(client.Topics(), began)
	if err != nil {
		return err
	}
	spans, err := c.spans(ctx, client, reach)
	if err != nil {
		return err
	}
	return c.replay(ctx, client, spans, reach.Until)
}

func (c *replayCommand) spans(
	ctx context.Context,
	client *stream.Client,
	reach *stream.ReplayRange,
) ([]stream.OffsetRange, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		return nil, fmt.Errorf("%w: check --brokers, or that \"millrace up\" is running", err)
	}
	if c.Until != "" {
		return client.OffsetRanges(ctx, reach)
	}
	present := *reach
	present.Until = time.Time{} // the end itself; a time is for whoever goes on later
	return client.OffsetRanges(ctx, &present)
}

// replay runs it and tells of it. until is what to go on with if it does not come to its end.
func (c *replayCommand) replay(
	ctx context.Context,
	client *stream.Client,
	spans []stream.OffsetRange,
	until time.Time,
) error {
	r, err := client.NewReplay(
		stream.ReplayConfig{
			Workspaces: c.Workspace,
			Products:   c.Product,
			Reasons:    c.Reason,
			Rate:       c.Rate,
			DryRun:     c.DryRun,
		},
		spans,
	)
	if err != nil {
		return err
	}
	defer r.Close()
	stop := c.follow(r)
	err = r.Run(ctx)
	took := stop()
	if printed := c.summary(os.Stdout, r.Progress(), took); printed != nil {
		return printed
	}
	if err == nil {
		c.warn(r.Progress())
		return nil
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("stopped before the end")
	}
	return fmt.Errorf(
		"%w\nTo go on, run it again with these in place of --from and --until:\n\n  %s",
		err,
		goOn(client.Topics(), r.Remaining(), until),
	)
}

// warn says what may not be as it was meant.
func (c *replayCommand) warn(p stream.ReplayProgress) {
	found := map[string]bool{}
	for chosen := range p.ByGroup {
		found[chosen.Product] = true
	}
	for _, product := range c.Product {
		if !found[product] {
			fmt.Fprintf(
				os.Stderr,
				"Nothing of product %q is there to be replayed: is it spelled as \"millrace connections list\" shows it, and does --from reach back far enough?\n",
				product,
			)
		}
	}
}
