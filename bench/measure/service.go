//go:build linux

package measure

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/pkg/token"
)

// Service is an edge, a loader or a console.
type Service struct {
	*Process
	HTTP  string // host:port of an edge or a console
	Admin string // URL without a path
}

// Millrace says how services are started: from which binaries, in which folder, on which broker and topics.
type Millrace struct {
	Bin, Dir string
	Broker   *Broker
	Prefix   string // of the topics
}

// StartEdge starts bin/edge and returns when it is ready.
func (m *Millrace) StartEdge(ctx context.Context, key token.Key, args ...string) (*Service, error) {
	return m.start(ctx, "edge", "--http", "/readyz", []string{"edge"}, tokenKey(key), args)
}

// StartLoader starts bin/loader and returns when it is ready.
func (m *Millrace) StartLoader(ctx context.Context, clickhouse, database string, args ...string) (*Service, error) {
	args = append([]string{"--clickhouse", clickhouse, "--database", database}, args...)
	return m.start(ctx, "loader", "", "/readyz", []string{"loader"}, nil, args)
}

// StartConsole starts "millrace console" and returns when it answers.
func (m *Millrace) StartConsole(ctx context.Context, clickhouse, database string, key token.Key) (*Service, error) {
	args := []string{"--clickhouse", clickhouse, "--database", database}
	return m.start(
		ctx,
		"console",
		"--listen",
		"/console/connections",
		[]string{"millrace", "console"},
		tokenKey(key),
		args,
	)
}

func tokenKey(key token.Key) []string { return []string{"MILLRACE_TOKEN_KEY=" + key.Text()} }

// start runs a command of a binary and waits until readyPath answers 200, at the address of httpFlag for the console
// and at the admin address otherwise. httpFlag is empty for a service without HTTP.
func (m *Millrace) start(
	ctx context.Context, name, httpFlag, readyPath string, command, env, args []string,
) (*Service, error) {
	addrs, err := embedded.FreeAddrs("127.0.0.1", 2)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(filepath.Join(m.Bin, command[0]))
	if err != nil {
		return nil, err
	}
	s := &Service{HTTP: addrs[0], Admin: "http://" + addrs[1]}
	all := append(
		command[1:],
		"--brokers",
		m.Broker.Addr,
		"--topic-prefix",
		m.Prefix,
		"--admin",
		addrs[1],
		"--log-level",
		"warn",
	)
	if httpFlag != "" {
		all = append(all, httpFlag, s.HTTP)
	}
	program := Program{Name: name, Path: path, Args: append(all, args...), Env: env, Dir: m.Dir}
	if s.Process, err = program.Start(); err != nil {
		return nil, err
	}
	ready := s.Admin + readyPath
	if name == "console" {
		ready = "http://" + s.HTTP + readyPath
	}
	if err := s.AwaitOK(ctx, ready); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Migrate creates the tables of a database with bin/millrace.
func Migrate(ctx context.Context, bin, clickhouse, database string) error {
	migrate := exec.CommandContext(
		ctx,
		filepath.Join(bin, "millrace"),
		"migrate",
		"--clickhouse",
		clickhouse,
		"--database",
		database,
	)
	if out, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w: %s", err, out)
	}
	return nil
}
