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
	Seed        uint64        `help:"Seed of the faults and of the events. 0 takes one from the clock." default:"0"`
	For         time.Duration `help:"How long to send and to inject faults." default:"2m"`
	Rate        int           `help:"Events a second." default:"1500"`
	Bin         string        `help:"Folder of edge, loader and millrace." default:"bin"`
	Dir         string        `help:"Folder for data, logs and the ledger; removed if the run passes. By default a temporary folder."`
	Keep        bool          `help:"Keep the folder in any case."`
	Verbose     bool          `help:"Also log the group's offsets."`
	Kfake       bool          `help:"Use the broker in this process instead of Apache Kafka: it needs no Java, and has no faults of a cluster."`
	LoaderKills bool          `help:"Only kill loaders, one at a time, and restart each after the others have its partitions. Measures how long partitions stand still."`
	Drain       time.Duration `help:"How long the loaders may take to load the backlog at the end." default:"3m"`
	Control     string        `help:"Switch a protection off: commit-first, acks-1 or no-token. The run passes if its checks notice. Needs binaries built with the tag chaoscontrol." enum:",commit-first,acks-1,no-token" default:""`

	tokenKey string
}

// controlEnv tells binaries with the build tag chaoscontrol which protection to leave out.
const controlEnv = "MILLRACE_CHAOS_CONTROL"

var (
	errFound     = errors.New("the checks failed")
	errNotCaught = errors.New("a protection was switched off and the checks did not notice")
)

func main() {
	embedded.RunChild()
	var c flags
	cli.Main(&c, "chaos", "Injects faults around edges and loaders under load, and checks what is stored.",
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
	rerun := c.rerunCommand()
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: level}))
	log.Info("run starts", "seed", c.Seed, "for", c.For, "rate", c.Rate, "dir", c.Dir, "rerun", rerun)
	sys, err := startSystem(ctx, c, c.Dir, log)
	defer func() {
		err = errors.Join(err, sys.close())
		if err != nil || c.Keep {
			fmt.Printf("seed %d; data, logs and ledger are in %s; to run it again: %s\n", c.Seed, c.Dir, rerun)
			return
		}
		err = os.RemoveAll(c.Dir)
	}()
	if err != nil {
		return err
	}
	return c.runFaults(ctx, sys, begin)
}

// rerunCommand is the command line that repeats this run.
func (c *flags) rerunCommand() string {
	args := []string{
		"go", "run", "./test/chaos",
		fmt.Sprintf("--seed=%d --for=%s --rate=%d --bin=%s", c.Seed, c.For, c.Rate, c.Bin),
	}
	if c.Kfake {
		args = append(args, "--kfake")
	}
	if c.LoaderKills {
		args = append(args, "--loader-kills")
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
	case c.LoaderKills:
		return regularPlan(loaderKill, loaderKillGap, c.For)
	case c.Kfake:
		kinds = append(processKinds(), kfakeKinds()...)
	default:
		kinds = append(processKinds(), brokerKinds()...)
	}
	return makePlan(c.Seed, c.For, kinds)
}

// runFaults sends and injects faults, heals them, waits until everything is loaded, and checks the result.
func (c *flags) runFaults(ctx context.Context, sys *system, begin time.Time) error {
	injecting, stopInjecting := context.WithTimeout(ctx, c.For)
	defer stopInjecting()
	loading, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	watching, stopWatch := context.WithCancel(context.Background())
	defer stopWatch()
	o, v := newWatch(sys), &result{}
	s := newFaultRun(sys, o)
	var load, watch sync.WaitGroup
	watch.Go(func() { o.run(watching) })
	load.Go(func() { newSender(sys).run(loading) })
	watch.Go(func() { s.compact(injecting, loading, v) })
	s.run(injecting, loading, c.plan())
	sys.log.Info("all faults are healed")
	s.awaitRecovered()
	stopLoad()
	sys.log.Info("sending ends; waiting for the last answers")
	load.Wait()
	draining, stopDrain := context.WithTimeout(ctx, c.Drain)
	defer stopDrain()
	if v.notLoaded = sys.awaitLoaded(draining); v.notLoaded > 0 {
		sys.log.Error("NOT LOADED IN TIME", "records", v.notLoaded)
	}
	s.recoveries.Wait()
	stopWatch()
	watch.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	checking, stopChecking := context.WithTimeout(ctx, c.Drain)
	defer stopChecking()
	if err := sys.check(checking, v); err != nil {
		return err
	}
	report(os.Stdout, sys, s, o, v, time.Since(begin))
	return c.conclude(sys, v)
}

// conclude prints the result, and returns an error if the run failed.
func (c *flags) conclude(sys *system, v *result) error {
	switch {
	case c.Control != "" && v.caught(c.Control):
		fmt.Printf("the checks noticed the control: %s\n", c.Control)
		return nil
	case c.Control != "":
		return fmt.Errorf("%w: %s", errNotCaught, c.Control)
	case v.failed():
		return errors.Join(errFound, sys.ledger.save(filepath.Join(c.Dir, "ledger.tsv"), c.Seed, sys.connections))
	}
	fmt.Println("nothing lost, no duplicates")
	return nil
}
