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
	"github.com/millrace/millrace/bench/parts"
	"github.com/millrace/millrace/bench/traffic"
)

type loaderCommand struct {
	Only       []string `help:"Only these: millrace, no-attribution, bare, engine, script, seatunnel. What was measured of others at the same commit stays in the report."`
	Events     int      `help:"Events in the topic." default:"3000000"`
	Partitions int      `help:"Partitions of the topic." default:"8"`
	Products   int      `help:"Products." default:"32"`
	Users      int      `help:"Users." default:"100000"`
	LoaderArgs []string `help:"More arguments for our loader." sep:"none"`
}

const (
	withoutAttribution = "Millrace, --no-attribution"
	turns              = "turns"  // of the section's series
	known              = "known"  // database of what an earlier run has learnt of the users
	loaderPrefix       = "loader" // of the topics
)

// contestant is a loader, ours or another's.
type contestant struct {
	name  string
	maps  bool // its rows have to be as ours
	start func(ctx context.Context, t *baselines.Table) (*baselines.Loading, error)
}

// track is what a loader comparison runs on. ClickHouse is started anew for each turn, so that its memory is the turn's own.
type track struct {
	*loaderCommand
	common     *common
	dir        string
	broker     *parts.Broker
	topic      string
	clickhouse *parts.ClickHouse
	traffic    traffic.Config
	taken      int    // turns
	rows       string // checksum of the rows of whoever came first
	notes      []string
}

// Run measures the loader beside the others.
func (l *loaderCommand) Run(ctx context.Context, c *common) error {
	dir, clean, err := c.workplace()
	if err != nil {
		return err
	}
	defer clean()
	t := &track{loaderCommand: l, common: c, dir: dir}
	t.traffic = traffic.Config{Seed: c.Seed, Products: l.Products, Users: l.Users, EventsOnly: true,
		Start: time.Date(2026, 5, 18, 0, 0, 0, 0, time.UTC), Every: 10 * time.Millisecond}
	if err := t.open(ctx); err != nil {
		return err
	}
	defer t.broker.Stop()
	name := "loader"
	if c.Broker == "kfake" {
		name += "-kfake"
	}
	section := c.section(name, "The loader, on "+t.broker.Name)
	if err := section.Resume(c.Out); err != nil {
		return err
	}
	contestants, err := t.contestants(ctx)
	if err != nil {
		return err
	}
	var contenders []measure.Contender
	taken := make([]measure.Series, len(contestants)) // kept here too: a turn that fails must not cost those before it
	for i, one := range contestants {
		taken[i].Name = one.name
		contenders = append(contenders, measure.Contender{Name: one.name, Run: func(ctx context.Context) (measure.Values, error) {
			v, err := t.turn(ctx, one)
			if err == nil {
				taken[i].Rounds = append(taken[i].Rounds, v)
			}
			return v, err
		}})
	}
	_, failed := measure.Turns(ctx, stderr, c.Rounds, contenders)
	section.Raw[turns] = merged(section.Raw[turns], taken)
	t.report(section)
	return errors.Join(failed, section.Save(c.Out))
}

// merged puts series into the place of those of the same name, but for those without a round.
func merged(into, series []measure.Series) []measure.Series {
	for _, s := range series {
		if len(s.Rounds) == 0 {
			continue
		}
		at := slices.IndexFunc(into, func(o measure.Series) bool { return o.Name == s.Name })
		if at < 0 {
			into = append(into, s)
			continue
		}
		into[at] = s
	}
	return into
}

// open starts the broker and makes the topic.
func (t *track) open(ctx context.Context) (err error) {
	say("starting the broker; logs are in %s", t.dir)
	if t.broker, err = t.common.startBroker(ctx, t.dir, -1); err != nil {
		return err
	}
	client, err := t.broker.Stream(loaderPrefix, t.Partitions)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.AwaitTopics(ctx); err != nil {
		return err
	}
	t.topic = client.Topics().Ingest
	say("writing %d messages to the topic", t.Events)
	begin := time.Now()
	err = traffic.Fill(ctx, client, t.traffic, t.Events, nil)
	say("written in %s", time.Since(begin).Round(time.Second))
	return err
}

// contestants are those that take part. What a rival needs is fetched.
func (t *track) contestants(ctx context.Context) (all []*contestant, err error) {
	if wanted(t.Only, "millrace") {
		all = append(all, &contestant{ours, true, t.startOurs})
	}
	if wanted(t.Only, "no-attribution") {
		all = append(all, &contestant{withoutAttribution, true, func(_ context.Context, table *baselines.Table) (*baselines.Loading, error) {
			return t.startLoader(table, "--no-attribution"), nil
		}})
	}
	for _, r := range baselines.Loaders {
		if !wanted(t.Only, r.Key) {
			continue
		}
		err := r.Fetch(ctx, &baselines.Place{Cache: t.common.Cache})
		var missing *baselines.Missing
		if errors.As(err, &missing) {
			say("%s is left out: %v", r.Name, err)
			t.notes = append(t.notes, fmt.Sprintf("%s is left out: %v.", r.Name, err))
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, &contestant{r.Name, r.Maps, r.Start})
	}
	return all, nil
}

// startOurs starts the loader in a database in which the users are known: a run on the same topic before has written down
// what its messages say of them. Its own memory is empty.
func (t *track) startOurs(ctx context.Context, table *baselines.Table) (*baselines.Loading, error) {
	if err := t.getToKnow(ctx, table); err != nil {
		return nil, fmt.Errorf("get to know the users: %w", err)
	}
	for _, insert := range []string{
		"user_claims SELECT * REPLACE (written_at - INTERVAL 1 DAY AS written_at) FROM " + known + ".user_claims",
		"organization_claims SELECT * FROM " + known + ".organization_claims",
		"products SELECT * FROM " + known + ".products",
		// All that has been worked in: else a new group begins with what has ever been said.
		fmt.Sprintf("attribution_progress SELECT '%s', number, now64(6) FROM numbers(%d)", table.Database, t.Partitions),
	} {
		if _, err := t.clickhouse.SQL(ctx, table.Database, "INSERT INTO "+insert); err != nil {
			return nil, err
		}
	}
	return t.startLoader(table), nil
}

// getToKnow takes the topic into a database of its own, the first time.
func (t *track) getToKnow(ctx context.Context, table *baselines.Table) error {
	if n, err := t.clickhouse.Count(ctx, "default", "SELECT count() FROM system.databases WHERE name = '"+known+"'"); err != nil || n > 0 {
		return err
	}
	say("a run before the others, from which ours knows the users")
	before := *table
	before.Database, before.Dir = known, filepath.Join(t.dir, known)
	if err := parts.Migrate(ctx, t.common.Bin, t.clickhouse.Addr(), known); err != nil {
		return err
	}
	loading := t.startLoader(&before)
	if err := loading.Begin(ctx); err != nil {
		return err
	}
	defer loading.Stop()
	if err := (&watch{track: t, table: &before, loading: loading}).wait(ctx); err != nil {
		return err
	}
	_, err := t.clickhouse.SQL(ctx, known, "TRUNCATE TABLE events")
	return err
}

func (t *track) startLoader(table *baselines.Table, args ...string) *baselines.Loading {
	args = append(append([]string{"--group", table.Database}, args...), t.LoaderArgs...)
	l := &baselines.Loading{}
	l.Begin = func(ctx context.Context) error {
		loader, err := parts.StartLoader(ctx, t.common.Bin, table.Dir, t.broker, loaderPrefix, t.clickhouse.Addr(), table.Database, args...)
		if err == nil {
			l.Process = loader.Process
		}
		return err
	}
	return l
}
