//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/test/env/kafka"
)

const (
	database       = "chaos"
	ingest         = "millrace.ingest"
	deadLetters    = "millrace.dead-letters"
	group          = "millrace-loader"
	partitions     = 4
	edges          = 2
	loaders        = 2 // and one more that comes and goes
	products       = 8
	connectionsPer = 2 // every other product has so many, the rest one
	saltedEvery    = 3 // one product of so many is salted over all partitions
	startPatience  = 2 * time.Minute
)

// connection is a webhook's way in.
type connection struct{ id, product, token string }

// world is everything that runs.
type world struct {
	cli    *flags
	dir    string
	log    *slog.Logger
	ledger *ledger

	brokers     *brokers
	clickhouse  *embedded.ClickHouse
	redis       *process
	edges       []*part
	loaders     []*part // the last one is meant to be down
	connections []connection
	progress    *kafka.Progress
	closers     []func() error
}

// startWorld starts everything. What was started is ended by close, also after an error.
func startWorld(ctx context.Context, c *flags, dir string, log *slog.Logger) (*world, error) {
	w := &world{cli: c, dir: dir, log: log}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		return w, err
	}
	for _, step := range []struct {
		doing string
		do    func(context.Context) error
	}{
		{"start the brokers", w.startBrokers}, {"start ClickHouse", w.startClickHouse}, {"start Redis", w.startRedis},
		{"start edges and loaders", w.startParts}, {"make connections", w.connect}, {"be in sync", func(ctx context.Context) error { return w.brokers.awaitInSync(ctx, ingest, deadLetters) }},
	} {
		if err := step.do(ctx); err != nil {
			return w, fmt.Errorf("%s: %w", step.doing, err)
		}
	}
	w.ledger = newLedger()
	return w, nil
}

func (w *world) close() error {
	var failed error
	for i := len(w.closers) - 1; i >= 0; i-- {
		failed = errors.Join(failed, w.closers[i]())
	}
	return failed
}

func (w *world) startBrokers(context.Context) (err error) {
	if w.brokers, err = startBrokers(w.dir, w.cli.Kfake); err != nil {
		return err
	}
	w.closers = append(w.closers, w.brokers.close)
	if w.progress, err = kafka.NewProgress(group, w.brokers.addrs()...); err != nil {
		return err
	}
	w.closers = append(w.closers, func() error { w.progress.Close(); return nil })
	return nil
}

// merges never choose a part on their own: they would hide rows that are there twice. More parts than usual
// are no trouble then.
const noMerges = `ALTER TABLE events MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1,
	parts_to_delay_insert = 100000, parts_to_throw_insert = 100000`

func (w *world) startClickHouse(ctx context.Context) error {
	engine, found := embedded.FindEngine("")
	if !found {
		var err error
		if engine, err = embedded.FetchEngine(ctx, nil); err != nil {
			return err
		}
	}
	var err error
	w.clickhouse, err = embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: filepath.Join(w.dir, "clickhouse"), Engine: engine, Logger: w.log.With("part", "clickhouse")})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		return w.clickhouse.Close(ctx)
	})
	if out, err := exec.CommandContext(ctx, filepath.Join(w.cli.Bin, "millrace"), "migrate", "--clickhouse", w.clickhouse.Addr(), "--database", database).CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w: %s", err, out)
	}
	_, err = w.sql(ctx, noMerges)
	return err
}

func (w *world) startRedis(context.Context) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(addr)
	w.redis = w.process("redis", "redis-server", nil, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no")
	w.redis.addr = addr
	return w.redis.start()
}

func (w *world) process(name, program string, env []string, args ...string) *process {
	p := &process{name: name, program: program, args: args, env: env, logFile: filepath.Join(w.dir, "logs", name+".log"), log: w.log}
	w.closers = append(w.closers, func() error { return p.end(syscall.SIGKILL) })
	return p
}

func freeAddr() (string, error) {
	addrs, err := embedded.FreeAddrs("127.0.0.1", 1)
	if err != nil {
		return "", err
	}
	return addrs[0], nil
}

// connect makes products on all partitions and their connections.
func (w *world) connect(ctx context.Context) error {
	var each [partitions]int
	for n, made := 0, 0; made < products; n++ {
		product := fmt.Sprintf("product-%d", n)
		if p := stream.PartitionOf(product, partitions); each[p] == products/partitions {
			continue
		} else {
			each[p]++
		}
		made++
		salts := 1
		if made%saltedEvery == 0 {
			salts = partitions
		}
		for range 1 + made%connectionsPer {
			cmd := exec.CommandContext(ctx, filepath.Join(w.cli.Bin, "millrace"), "connections", "create", "--brokers", strings.Join(w.brokers.addrs(), ","), "--output", "json", "--product", product,
				"--salts", fmt.Sprint(salts))
			cmd.Env = append(os.Environ(), "MILLRACE_TOKEN_KEY="+w.cli.tokenKey)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return err
			}
			var shown struct {
				ConnectionID string `json:"connection_id"`
				Token        string `json:"token"`
			}
			if err := json.Unmarshal(out, &shown); err != nil {
				return err
			}
			w.connections = append(w.connections, connection{shown.ConnectionID, product, shown.Token})
		}
	}
	return nil
}
