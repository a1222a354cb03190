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

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/pkg/embedded/process"
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
	loaders        = 2 // and one more that joins and leaves
	products       = 8
	connectionsPer = 2 // of every other product; the others have one
	saltedEvery    = 3 // every third product has salts for all partitions
	startTimeout   = 2 * time.Minute
)

// connection is a webhook connection.
type connection struct{ id, product, token string }

// system is all processes and links of a run.
type system struct {
	cli    *flags
	dir    string
	log    *slog.Logger
	ledger *ledger

	brokers     *brokers
	clickhouse  *measure.ClickHouse
	redis       *supervised
	edges       []*service
	loaders     []*service // the last one runs only during its fault
	connections []connection
	progress    *kafka.Progress
	closers     []func() error
}

// startSystem starts everything. The caller must call close, also after an error.
func startSystem(ctx context.Context, c *flags, dir string, log *slog.Logger) (*system, error) {
	sys := &system{cli: c, dir: dir, log: log}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		return sys, err
	}
	for _, step := range []struct {
		doing string
		do    func(context.Context) error
	}{
		{"start the brokers", sys.startBrokers},
		{"start ClickHouse", sys.startClickHouse},
		{"start Redis", sys.startRedis},
		{"start edges and loaders", sys.startServices},
		{"create connections", sys.connect},
		{"wait for replicas", func(ctx context.Context) error { return sys.brokers.awaitInSync(ctx, ingest, deadLetters) }},
	} {
		if err := step.do(ctx); err != nil {
			return sys, fmt.Errorf("%s: %w", step.doing, err)
		}
	}
	sys.ledger = newLedger()
	return sys, nil
}

func (sys *system) close() error {
	var failed error
	for i := len(sys.closers) - 1; i >= 0; i-- {
		failed = errors.Join(failed, sys.closers[i]())
	}
	return failed
}

func (sys *system) startBrokers(context.Context) (err error) {
	if sys.brokers, err = startBrokers(sys.dir, sys.cli.Kfake); err != nil {
		return err
	}
	sys.closers = append(sys.closers, sys.brokers.close)
	if sys.progress, err = kafka.NewProgress(group, sys.brokers.addrs()...); err != nil {
		return err
	}
	sys.closers = append(sys.closers, func() error { sys.progress.Close(); return nil })
	return nil
}

// noMerges switches merges off, since they would hide duplicate rows, and allows more parts.
const noMerges = `ALTER TABLE events MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1,
	max_bytes_to_merge_at_min_space_in_pool = 1, parts_to_delay_insert = 100000, parts_to_throw_insert = 100000`

func (sys *system) startClickHouse(ctx context.Context) (err error) {
	dir := filepath.Join(sys.dir, "clickhouse")
	if sys.clickhouse, err = measure.StartClickHouse(ctx, dir, "", sys.log.With("part", "clickhouse")); err != nil {
		return err
	}
	sys.closers = append(sys.closers, sys.clickhouse.Stop)
	if err := measure.Migrate(ctx, sys.cli.Bin, sys.clickhouse.Addr(), database); err != nil {
		return err
	}
	_, err = sys.sql(ctx, noMerges)
	return err
}

// sql runs a statement without a link and returns its result, tab-separated.
func (sys *system) sql(ctx context.Context, statement string) (string, error) {
	return sys.clickhouse.SQL(ctx, database, statement)
}

func (sys *system) startRedis(context.Context) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(addr)
	sys.redis = sys.supervise("redis", "redis-server", nil,
		"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no")
	sys.redis.addr = addr
	return sys.redis.start()
}

// supervise describes a process with its own log. close kills it.
func (sys *system) supervise(name, program string, env []string, args ...string) *supervised {
	p := &supervised{log: sys.log, config: process.Config{
		Name: name, Path: program, Args: args, Env: env, LogFile: filepath.Join(sys.dir, "logs", name+".log"),
	}}
	sys.closers = append(sys.closers, func() error { return p.stop(syscall.SIGKILL) })
	return p
}

func freeAddr() (string, error) {
	addrs, err := embedded.FreeAddrs("127.0.0.1", 1)
	if err != nil {
		return "", err
	}
	return addrs[0], nil
}

// defaultWorkspace owns the connections that the command line creates without --workspace.
const defaultWorkspace = "default"

// connect creates the connections of products, the same number in each partition.
func (sys *system) connect(ctx context.Context) error {
	var each [partitions]int
	for n, created := 0, 0; created < products; n++ {
		product := fmt.Sprintf("product-%d", n)
		partition := stream.PartitionOf(defaultWorkspace, product, partitions)
		if each[partition] == products/partitions {
			continue
		}
		each[partition]++
		created++
		salts := 1
		if created%saltedEvery == 0 {
			salts = partitions
		}
		for range 1 + created%connectionsPer {
			if err := sys.createConnection(ctx, product, salts); err != nil {
				return err
			}
		}
	}
	return nil
}

func (sys *system) createConnection(ctx context.Context, product string, salts int) error {
	cmd := exec.CommandContext(ctx, filepath.Join(sys.cli.Bin, "millrace"), "connections", "create", "--output", "json",
		"--brokers", strings.Join(sys.brokers.addrs(), ","), "--product", product, "--salts", fmt.Sprint(salts))
	cmd.Env = append(os.Environ(), "MILLRACE_TOKEN_KEY="+sys.cli.tokenKey)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	var created struct {
		ConnectionID string `json:"connection_id"`
		Token        string `json:"token"`
	}
	if err := json.Unmarshal(out, &created); err != nil {
		return err
	}
	sys.connections = append(sys.connections, connection{created.ConnectionID, product, created.Token})
	return nil
}
