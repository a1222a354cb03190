//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace/pkg/cli"
	"github.com/millrace/millrace/pkg/embedded"
)

type flags struct {
	Seed    uint64        `help:"Seed of the faults and of the events. 0 takes one from the clock." default:"0"`
	For     time.Duration `help:"How long to send and to break things." default:"2m"`
	Rate    int           `help:"Events a second." default:"1500"`
	Bin     string        `help:"Folder of edge, loader and millrace." default:"bin"`
	Dir     string        `help:"Folder for data, logs and the ledger; removed if nothing is found. Default: a new one in the folder for temporary files."`
	Keep    bool          `help:"Keep the folder in any case."`
	Verbose bool          `help:"Show the group's offsets as they are read, too."`
	Kfake   bool          `help:"Use the broker in this process instead of Apache Kafka: no Java needed, and none of the faults of a cluster."`
	Quiet   bool          `help:"Only kill loaders, one after the other, and leave each dead until the others have its partitions: how long do those stand still?"`
	Drain   time.Duration `help:"How long the loaders may take in the end to do what is left." default:"3m"`
	Control string        `help:"Switch a protection off, which has to be found out: commit-first, acks-1 or no-token. The binaries must have been built with the tag chaoscontrol." enum:",commit-first,acks-1,no-token" default:""`

	tokenKey string
}

// controlEnv tells binaries that were built for it which protection to leave out.
const controlEnv = "MILLRACE_CHAOS_CONTROL"

var (
	errFound     = errors.New("the run found something")
	errNotCaught = errors.New("a protection was switched off and the run did not notice")
)

func main() {
	embedded.RunChild()
	var c flags
	cli.Main(&c, "chaos", "Breaks everything around edges and loaders under load, and says what became of the events.",
		func(ctx context.Context, _ *kong.Context) error { return c.run(ctx) })
}

func (c *flags) run(ctx context.Context) (err error) {
	begin := time.Now()
	if c.Seed == 0 {
		c.Seed = uint64(begin.UnixNano()) % 1_000_000
	}
	var key [32]byte
	_, _ = rand.Read(key[:])
	c.tokenKey = hex.EncodeToString(key[:])
	if c.Dir == "" {
		if c.Dir, err = os.MkdirTemp("", "millrace-chaos-*"); err != nil {
			return err
		}
	} else if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return err
	}
	again := c.again()
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: level}))
	log.Info("a run begins", "seed", c.Seed, "for", c.For, "rate", c.Rate, "dir", c.Dir, "again", again)
	w, err := startWorld(ctx, c, c.Dir, log)
	defer func() {
		err = errors.Join(err, w.close())
		if err != nil || c.Keep {
			fmt.Printf("seed %d; data, logs and ledger are in %s; the same again: %s\n", c.Seed, c.Dir, again)
			return
		}
		err = os.RemoveAll(c.Dir)
	}()
	if err != nil {
		return err
	}
	return c.storm(ctx, w, begin)
}

// again is the command of this run.
func (c *flags) again() string {
	args := []string{"go", "run", "./test/chaos", fmt.Sprintf("--seed=%d --for=%s --rate=%d --bin=%s", c.Seed, c.For, c.Rate, c.Bin)}
	if c.Kfake {
		args = append(args, "--kfake")
	}
	if c.Quiet {
		args = append(args, "--quiet")
	}
	if c.Control != "" {
		args = append(args, "--control="+c.Control)
	}
	return strings.Join(args, " ")
}

func (c *flags) plan() []fault {
	var kinds []kind
	switch {
	case c.Control != "":
		return controlPlan(c.Control, c.For)
	case c.Quiet:
		return regularPlan(quiet, quietGap, c.For)
	case c.Kfake:
		kinds = append(processKinds(), fakeKinds()...)
	default:
		kinds = append(processKinds(), brokerKinds()...)
	}
	return makePlan(c.Seed, c.For, kinds)
}

// storm sends and breaks, heals, waits and judges.
func (c *flags) storm(ctx context.Context, w *world, begin time.Time) error {
	storming, stopStorm := context.WithTimeout(ctx, c.For)
	defer stopStorm()
	loading, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	watching, stopWatch := context.WithCancel(context.Background())
	defer stopWatch()
	o, v := newWatch(w), &verdict{}
	s := newStorm(w, o)
	var load, watch sync.WaitGroup
	watch.Go(func() { o.run(watching) })
	load.Go(func() { newSender(w).run(loading) })
	watch.Go(func() { s.compact(storming, loading, v) })
	s.run(storming, loading, c.plan())
	w.log.Info("all is healed")
	s.awaitRecovered()
	stopLoad()
	w.log.Info("no more is sent; waiting for the last answers")
	load.Wait()
	draining, stopDrain := context.WithTimeout(ctx, c.Drain)
	defer stopDrain()
	if v.unloaded = w.awaitLoaded(draining); v.unloaded > 0 {
		w.log.Error("NOT LOADED IN TIME", "records", v.unloaded)
	}
	s.recover.Wait()
	stopWatch()
	watch.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	judging, stopJudge := context.WithTimeout(ctx, c.Drain)
	defer stopJudge()
	if err := w.judge(judging, v); err != nil {
		return err
	}
	report(os.Stdout, w, s, o, v, time.Since(begin))
	return c.sentence(w, v)
}

// sentence is how the run ends.
func (c *flags) sentence(w *world, v *verdict) error {
	switch {
	case c.Control != "" && v.caught(c.Control):
		fmt.Printf("control caught: %s\n", c.Control)
		return nil
	case c.Control != "":
		return fmt.Errorf("%w: %s", errNotCaught, c.Control)
	case v.bad():
		return errors.Join(errFound, w.ledger.save(filepath.Join(c.Dir, "ledger.tsv"), c.Seed, w.connections))
	}
	fmt.Println("nothing lost, nothing twice")
	return nil
}
