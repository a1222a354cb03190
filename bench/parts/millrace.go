//go:build linux

package parts

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/pkg/token"
)

// Part is an edge, a loader or a console.
type Part struct {
	*measure.Process
	HTTP  string // host:port that takes events, or of a console browsers
	Admin string // URL without a path
}

// StartEdge starts bin/edge on the topics of a prefix and returns when it is ready.
func StartEdge(ctx context.Context, bin, dir string, broker *Broker, prefix string, key token.Key, args ...string) (*Part, error) {
	addrs, err := embedded.FreeAddrs("127.0.0.1", 1)
	if err != nil {
		return nil, err
	}
	p, err := startPart(ctx, bin, dir, "edge", broker, prefix, []string{"MILLRACE_TOKEN_KEY=" + key.Text()}, append([]string{"--http", addrs[0]}, args...))
	if err != nil {
		return nil, err
	}
	p.HTTP = addrs[0]
	return p, nil
}

// StartLoader starts bin/loader on the topics of a prefix and returns when it is ready.
func StartLoader(ctx context.Context, bin, dir string, broker *Broker, prefix, clickhouse, database string, args ...string) (*Part, error) {
	return startPart(ctx, bin, dir, "loader", broker, prefix, nil, append([]string{"--clickhouse", clickhouse, "--database", database}, args...))
}

// StartConsole starts "millrace console" on the topics of a prefix and returns when it answers.
func StartConsole(ctx context.Context, bin, dir string, broker *Broker, prefix, clickhouse, database string, key token.Key) (*Part, error) {
	addrs, err := embedded.FreeAddrs("127.0.0.1", 2)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(filepath.Join(bin, "millrace"))
	if err != nil {
		return nil, err
	}
	process, err := measure.Program{Name: "console", Path: path, Dir: dir, Env: []string{"MILLRACE_TOKEN_KEY=" + key.Text()}, Args: []string{"console", "--listen", addrs[0], "--admin", addrs[1],
		"--brokers", broker.Addr, "--topic-prefix", prefix, "--clickhouse", clickhouse, "--database", database, "--log-level", "warn"}}.Start()
	if err != nil {
		return nil, err
	}
	p := &Part{Process: process, HTTP: addrs[0], Admin: "http://" + addrs[1]}
	if err := p.AwaitOK(ctx, "http://"+p.HTTP+"/console/connections"); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

func startPart(ctx context.Context, bin, dir, name string, broker *Broker, prefix string, env, args []string) (*Part, error) {
	addrs, err := embedded.FreeAddrs("127.0.0.1", 1)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(filepath.Join(bin, name))
	if err != nil {
		return nil, err
	}
	args = append([]string{"--brokers", broker.Addr, "--topic-prefix", prefix, "--admin", addrs[0], "--log-level", "warn"}, args...)
	process, err := measure.Program{Name: name, Path: path, Args: args, Env: env, Dir: dir}.Start()
	if err != nil {
		return nil, err
	}
	p := &Part{Process: process, Admin: "http://" + addrs[0]}
	if err := p.AwaitOK(ctx, p.Admin+"/readyz"); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// Migrate makes the tables.
func Migrate(ctx context.Context, bin, clickhouse, database string) error {
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "millrace"), "migrate", "--clickhouse", clickhouse, "--database", database).CombinedOutput()
	if err != nil {
		return fmt.Errorf("migrate: %w: %s", err, out)
	}
	return nil
}
