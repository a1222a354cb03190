//go:build linux

package baselines

import (
	"context"
	"net"
	"net/url"
	"path/filepath"

	"github.com/millrace/millrace/bench/measure"
)

var pythonScript = &Loader{
	Key: "script", Name: "a script in Python", Maps: true, Goal: 3,
	Settings: "confluent-kafka 2.16.1, orjson 3.13.0 and clickhouse-connect 1.12.0 from PyPI in two processes " +
		"([load.py](baselines/script/load.py)): messages mapped in the script, sent as JSONEachRow in batches of " + scriptRows + ", committed after the insert; without attribution.",
	fetch: func(ctx context.Context, p *Place) error {
		if err := need("python3"); err != nil {
			return err
		}
		_, err := p.unpackScript(ctx)
		return err
	},
	start: startScript,
}

const (
	scriptProcesses = "2"
	scriptRows      = "50000"
)

func (p *Place) unpackScript(ctx context.Context) (dir string, err error) {
	return p.unpack(ctx, "script", "requirements.txt",
		"sh", "-c", "python3 -m venv venv && venv/bin/pip install --quiet --requirement requirements.txt")
}

func startScript(ctx context.Context, t *Table) (*Loading, error) {
	dir, err := t.unpackScript(ctx)
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(t.ClickHouse.HTTPURL())
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(at.Host)
	if err != nil {
		return nil, err
	}
	args := []string{
		filepath.Join(dir, "load.py"), t.Broker, t.Topic, t.Database, host, port, t.Database, scriptProcesses, scriptRows,
	}
	python := filepath.Join(dir, "venv", "bin", "python")
	l := &Loading{}
	l.Begin = func(context.Context) (err error) {
		l.Process, err = measure.Program{Name: "script", Path: python, Args: args, Dir: t.Dir}.Start()
		return err
	}
	return l, nil
}
