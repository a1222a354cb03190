//go:build linux

package baselines

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/pkg/embedded"
)

// Edge is a program that takes HTTP and writes to Kafka. The last part of a request's path is the records' key.
type Edge struct {
	Name     string // in the report
	Settings string // one sentence for the report
	start    func(ctx context.Context, p *Place, addr string) (*measure.Process, error)
}

// Start downloads the program if necessary and starts it. It returns a *Missing error if the machine lacks its runtime.
func (e *Edge) Start(ctx context.Context, p *Place) (process *measure.Process, addr string, err error) {
	addrs, err := embedded.FreeAddrs("127.0.0.1", 1)
	if err != nil {
		return nil, "", err
	}
	process, err = e.start(ctx, p, addrs[0])
	return process, addrs[0], err
}

// Edges are all such programs; the first is the limit.
var Edges = []*Edge{
	{
		Name: "bare limit",
		Settings: "fasthttp 1.78, go-json into RawMessage, franz-go 1.22 with acks=all, LZ4 and the edge's 2 ms of " +
			"linger; no token, no checks, no headers, no metrics.",
		start: func(ctx context.Context, p *Place, addr string) (*measure.Process, error) {
			bare, err := filepath.Abs(filepath.Join(p.Bin, "bareedge"))
			if err != nil {
				return nil, err
			}
			args := []string{"--http", addr, "--brokers", p.Broker, "--topic", p.Topic}
			return start(ctx, measure.Program{Name: "bareedge", Path: bare, Args: args, Dir: p.Dir}, addr)
		},
	},
	{
		Name: "Apache Camel",
		Settings: "Camel 4.18.0 from Maven: platform-http (Vert.x) to kafka, batches split by Jackson's streaming parser; acks=all, " +
			camelOptions +
			"; the route goes on when the producer has all acknowledgements; heap of 1 GiB, the parallel collector.",
		start: startCamel,
	},
	{
		Name: "fastify + kafkajs",
		Settings: "fastify 5.12.8 and kafkajs 2.2.4 from npm on two processes (cluster), acks=-1, LZ4 by lz4-napi; requests of " +
			"2 ms are written together; a single message is written unchanged, each message of a batch by JSON.stringify.",
		start: startFastify,
	},
}

const camelOptions = "lingerMs=2&compressionCodec=lz4&producerBatchSize=262144&bufferMemorySize=268435456"

func startCamel(ctx context.Context, p *Place, addr string) (*measure.Process, error) {
	if err := need("java", "javac", "mvn"); err != nil {
		return nil, err
	}
	dir, err := p.unpack(ctx, "camel", "pom.xml",
		"mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars")
	if err != nil {
		return nil, err
	}
	classes := dir + ":" + filepath.Join(dir, "jars", "*")
	compile := exec.CommandContext(ctx, "javac", "-cp", classes, "-d", dir, filepath.Join(dir, "Edge.java"))
	if out, err := compile.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile the Camel route: %w: %s", err, out)
	}
	host, port, _ := net.SplitHostPort(addr)
	args := []string{
		"-Xms1g", "-Xmx1g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", classes, "Edge", host, port, p.Broker, p.Topic, camelOptions,
	}
	return start(ctx, measure.Program{Name: "camel", Path: "java", Args: args, Dir: p.Dir}, addr)
}

func startFastify(ctx context.Context, p *Place, addr string) (*measure.Process, error) {
	if err := need("node", "npm"); err != nil {
		return nil, err
	}
	dir, err := p.unpack(ctx, "fastify", "package.json", "npm", "install", "--no-audit", "--no-fund")
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(addr)
	const processes, lingerMillis, compression = "2", "2", "LZ4"
	args := []string{filepath.Join(dir, "edge.js"), host, port, p.Broker, p.Topic, processes, lingerMillis, compression}
	program := measure.Program{
		Name: "fastify",
		Path: "node",
		Args: args,
		Env:  []string{"NODE_ENV=production"},
		Dir:  p.Dir,
	}
	return start(ctx, program, addr)
}
