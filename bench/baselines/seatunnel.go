//go:build linux

package baselines

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/pkg/embedded"
)

var seaTunnel = &Loader{
	Key: "seatunnel", Name: "Apache SeaTunnel", Goal: 3,
	Settings: "SeaTunnel 2.3.4 from Maven, its own engine in local mode, a reader and a writer for each partition " +
		"([job.conf](baselines/seatunnel/job.conf)): the Kafka source passes each message on as text, the ClickHouse sink " +
		"writes it in batches of 50,000 to a Null table, and the Kafka engine's view maps it. Its source has neither keys nor " +
		"headers, so product, workspace, connection, partition and offset are empty, and the time of receipt is that of the " +
		"insert; without attribution. Heap of 2 GiB.",
	fetch: func(ctx context.Context, p *Place) error {
		if err := need("java", "mvn"); err != nil {
			return err
		}
		_, err := p.unpackSeaTunnel(ctx)
		return err
	},
	start: startSeaTunnel,
}

// unpackSeaTunnel creates the folders that SeaTunnel's starter needs.
func (p *Place) unpackSeaTunnel(ctx context.Context) (dir string, err error) {
	return p.unpack(
		ctx,
		"seatunnel",
		"pom.xml",
		"sh",
		"-c",
		"mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib && mkdir -p connectors && "+
			"mv lib/connector-*.jar connectors && cp plugin-mapping.properties connectors",
	)
}

func startSeaTunnel(ctx context.Context, t *Table) (*Loading, error) {
	home, err := t.unpackSeaTunnel(ctx)
	if err != nil {
		return nil, err
	}
	of := origin{"''", "''", "''", "'segment'", "toUnixTimestamp64Micro(now64(6))", "''", "0", "0"}
	if err := t.sql(ctx, "CREATE TABLE inbox (raw String) ENGINE = Null", of.view("inbox")); err != nil {
		return nil, err
	}
	if err := t.configureSeaTunnel(home); err != nil {
		return nil, err
	}
	in := func(name string) string { return filepath.Join(t.Dir, name) }
	args := []string{
		"-Xms2g",
		"-Xmx2g",
		"-XX:+UseParallelGC",
		// These open modules are Hazelcast's requirement.
		"--add-modules",
		"java.se",
		"--add-exports",
		"java.base/jdk.internal.ref=ALL-UNNAMED",
		"--add-opens",
		"java.base/java.lang=ALL-UNNAMED",
		"--add-opens",
		"java.base/sun.nio.ch=ALL-UNNAMED",
		"--add-opens",
		"java.management/sun.management=ALL-UNNAMED",
		"--add-opens",
		"jdk.management/com.sun.management.internal=ALL-UNNAMED",
		"-DSEATUNNEL_HOME=" + home,
		"-Dseatunnel.config=" + in("seatunnel.yaml"),
		"-Dhazelcast.config=" + in("hazelcast.yaml"),
		"-Dhazelcast.client.config=" + in(
			"hazelcast-client.yaml",
		),
		"-Dlog4j2.configurationFile=" + in("log4j2.properties"),
		"-cp",
		filepath.Join(home, "lib", "*"),
		"org.apache.seatunnel.core.starter.seatunnel.SeaTunnelClient",
		"--config",
		in("job.conf"),
		"-m",
		"local",
	}
	l := &Loading{}
	l.Begin = func(context.Context) (err error) {
		program := measure.Program{
			Name: "seatunnel", Path: "java", Args: args, Dir: t.Dir, Env: []string{"SEATUNNEL_HOME=" + home},
		}
		l.Process, err = program.Start()
		return err
	}
	return l, nil
}

// configureSeaTunnel writes SeaTunnel's settings to the folder of the round, with their placeholders replaced.
func (t *Table) configureSeaTunnel(home string) error {
	addrs, err := embedded.FreeAddrs("127.0.0.1", 1)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(addrs[0])
	if err != nil {
		return err
	}
	at, err := url.Parse(t.ClickHouse.HTTPURL())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(t.Dir, 0o755); err != nil {
		return err
	}
	fill := strings.NewReplacer(
		"{broker}",
		t.Broker,
		"{topic}",
		t.Topic,
		"{group}",
		t.Database,
		"{clickhouse}",
		at.Host,
		"{database}",
		t.Database,
		"{dir}",
		t.Dir,
		"{port}",
		port,
		"{partitions}",
		strconv.Itoa(t.Partitions),
	)
	for _, name := range []string{
		"job.conf", "seatunnel.yaml", "hazelcast.yaml", "hazelcast-client.yaml", "log4j2.properties",
	} {
		text, err := os.ReadFile(filepath.Join(home, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(t.Dir, name), []byte(fill.Replace(string(text))), 0o644); err != nil {
			return err
		}
	}
	return nil
}
