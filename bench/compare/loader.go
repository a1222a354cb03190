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
)

type loaderCommand struct {
	Only       []string `help:"Only these: millrace, no-attribution, bare, engine, script, seatunnel. Results of others at the same commit stay in the report."`
	Events     int      `help:"Events in the topic." default:"3000000"`
	Partitions int      `help:"Partitions of the topic." default:"8"`
	Products   int      `help:"Products." default:"32"`
	Users      int      `help:"Users." default:"100000"`
	LoaderArgs []string `help:"More arguments for our loader." sep:"none"`
}

const (
	withoutAttribution = "Millrace, --no-attribution"
	loaderSeries       = "rounds"      // of the section's raw results
	knownUsers         = "known_users" // database that an earlier run filled with the users
	loaderPrefix       = "loader"      // of the topics
)

// loaderContender is our loader or a baseline.
type loaderContender struct {
	name  string
	maps  bool // its rows must equal ours
	start func(ctx context.Context, t *baselines.Table) (*baselines.Loading, error)
}

// loaderComparison is a filled topic. Each round starts a new ClickHouse, so that its memory is that of the round.
type loaderComparison struct {
	*loaderCommand
	*testbed
	topic    string
	messages traffic.Config
	rounds   int    // so far
	checksum string // of the rows of the first contender that maps
	notes    []string
}

// Run measures the loader and its baselines.
func (l *loaderCommand) Run(ctx context.Context, c *common) error {
	bed, err := c.newTestbed(ctx, -1)
	if err != nil {
		return err
	}
	defer bed.close()
	t := &loaderComparison{loaderCommand: l, testbed: bed, messages: traffic.Config{
		Seed: c.Seed, Products: l.Products, Users: l.Users, EventsOnly: true,
		Start: time.Date(2026, 5, 18, 0, 0, 0, 0, time.UTC), Every: 10 * time.Millisecond,
	}}
	if err := t.fillTopic(ctx); err != nil {
		return err
	}
	section := c.section("loader"+c.brokerSuffix(), "The loader, on "+t.broker.Name)
	if err := section.Resume(c.Out); err != nil {
		return err
	}
	all, err := t.contenders(ctx)
	if err != nil {
		return err
	}
	series, failed := t.measureAll(ctx, all)
	section.Raw[loaderSeries] = merge(section.Raw[loaderSeries], series)
	t.report(section)
	return errors.Join(failed, section.Save(c.Out))
}

// measureAll returns the series of all rounds that succeeded, also with an error.
func (t *loaderComparison) measureAll(ctx context.Context, all []*loaderContender) ([]measure.Series, error) {
	var contenders []measure.Contender
	series := make([]measure.Series, len(all))
	for i, one := range all {
		series[i].Name = one.name
		contenders = append(
			contenders,
			measure.Contender{Name: one.name, Run: func(ctx context.Context) (measure.Values, error) {
				v, err := t.round(ctx, one)
				if err == nil {
					series[i].Rounds = append(series[i].Rounds, v)
				}
				return v, err
			}},
		)
	}
	_, err := measure.Rounds(ctx, stderr, t.Rounds, contenders)
	return series, err
}

// merge replaces the series of the same name, and appends those that are new. It ignores series without a round.
func merge(into, series []measure.Series) []measure.Series {
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

func (t *loaderComparison) fillTopic(ctx context.Context) error {
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
	err = traffic.Fill(ctx, client, t.messages, t.Events)
	say("written in %s", time.Since(begin).Round(time.Second))
	return err
}

// contenders returns those that take part, and fetches what the baselines need.
func (t *loaderComparison) contenders(ctx context.Context) (all []*loaderContender, err error) {
	if selected(t.Only, "millrace") {
		all = append(all, &loaderContender{ours, true, t.startOurs})
	}
	if selected(t.Only, "no-attribution") {
		start := func(_ context.Context, table *baselines.Table) (*baselines.Loading, error) {
			return t.startLoader(table, "--no-attribution"), nil
		}
		all = append(all, &loaderContender{withoutAttribution, true, start})
	}
	for _, b := range baselines.Loaders {
		if !selected(t.Only, b.Key) {
			continue
		}
		err := b.Fetch(ctx, &baselines.Place{Cache: t.Cache})
		if note, missing := leftOut(b.Name, err); missing {
			t.notes = append(t.notes, note)
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, &loaderContender{b.Name, b.Maps, b.Start})
	}
	return all, nil
}

// startOurs starts the loader with an empty memory, in a database that has all users: an earlier run on the same topic
// stored them.
func (t *loaderComparison) startOurs(ctx context.Context, table *baselines.Table) (*baselines.Loading, error) {
	if err := t.learnUsers(ctx, table); err != nil {
		return nil, fmt.Errorf("store the users: %w", err)
	}
	for _, insert := range []string{
		"user_claims SELECT * REPLACE (written_at - INTERVAL 1 DAY AS written_at) FROM " + knownUsers + ".user_claims",
		"organization_claims SELECT * FROM " + knownUsers + ".organization_claims",
		"products SELECT * FROM " + knownUsers + ".products",
		// Without progress a new consumer group first reads all claims.
		fmt.Sprintf("attribution_progress SELECT '%s', number, now64(6) FROM numbers(%d)", table.Database, t.Partitions),
	} {
		if _, err := t.clickhouse.SQL(ctx, table.Database, "INSERT INTO "+insert); err != nil {
			return nil, err
		}
	}
	return t.startLoader(table), nil
}

// learnUsers loads the topic into the database knownUsers, the first time.
func (t *loaderComparison) learnUsers(ctx context.Context, table *baselines.Table) error {
	const exists = "SELECT count() FROM system.databases WHERE name = '" + knownUsers + "'"
	if n, err := t.clickhouse.Count(ctx, "default", exists); err != nil || n > 0 {
		return err
	}
	say("loading the topic once, so that the users are known")
	before := *table
	before.Database, before.Dir = knownUsers, filepath.Join(t.dir, knownUsers)
	if err := t.migrate(ctx, knownUsers); err != nil {
		return err
	}
	loading := t.startLoader(&before)
	if err := loading.Begin(ctx); err != nil {
		return err
	}
	defer loading.Stop()
	if err := (&rowWatch{comparison: t, table: &before, loading: loading}).wait(ctx); err != nil {
		return err
	}
	_, err := t.clickhouse.SQL(ctx, knownUsers, "TRUNCATE TABLE events")
	return err
}

func (t *loaderComparison) startLoader(table *baselines.Table, args ...string) *baselines.Loading {
	args = slices.Concat([]string{"--group", table.Database}, args, t.LoaderArgs)
	services := &measure.Millrace{Bin: t.Bin, Dir: table.Dir, Broker: t.broker, Prefix: loaderPrefix}
	l := &baselines.Loading{}
	l.Begin = func(ctx context.Context) error {
		loader, err := services.StartLoader(ctx, t.clickhouse.Addr(), table.Database, args...)
		if err == nil {
			l.Process = loader.Process
		}
		return err
	}
	return l
}
