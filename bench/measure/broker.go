//go:build linux

package measure

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/pkg/stream"
)

// Broker is a Kafka broker in its own process.
type Broker struct {
	*Process
	Name string // with its version, for the report
	Addr string
}

// KafkaHeap is the broker's heap: the value of Kafka's own start script.
const KafkaHeap = "1g"

// kafkaSettings are the defaults of one node, except that topics keep no more data than a run needs.
const kafkaSettings = `process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
advertised.listeners=PLAINTEXT://%[1]s
controller.listener.names=CONTROLLER
controller.quorum.voters=1@%[2]s
log.dirs=%[3]s
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
group.initial.rebalance.delay.ms=0
log.segment.bytes=67108864
log.retention.bytes=%[4]d
log.retention.check.interval.ms=10000
`

// StartKafka starts Apache Kafka from the folder of its jars, with its data in dir. A partition keeps about retain
// bytes. It returns when the broker answers.
func StartKafka(ctx context.Context, jars, dir string, retain int64) (*Broker, error) {
	jars, err := filepath.Abs(jars)
	if err != nil {
		return nil, err
	}
	found, _ := filepath.Glob(filepath.Join(jars, "kafka_*.jar"))
	if len(found) == 0 {
		return nil, fmt.Errorf("no jars of Apache Kafka in %q: make bench fetches them", jars)
	}
	addrs, err := embedded.FreeAddrs("127.0.0.1", 2)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "server.properties")
	text := fmt.Sprintf(kafkaSettings, addrs[0], addrs[1], filepath.Join(dir, "data"), retain)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	java := []string{
		"-Xms" + KafkaHeap, "-Xmx" + KafkaHeap, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", filepath.Join(jars, "*"),
	}
	format := exec.CommandContext(ctx, "java", append(java, "kafka.tools.StorageTool", "format",
		"--cluster-id", "bWlsbHJhY2UtYmVuY2gtMQ", "--config", config)...)
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format the storage of Apache Kafka: %w: %s", err, out)
	}
	name := "Apache Kafka " + strings.TrimSuffix(filepath.Base(found[0])[len("kafka_2.13-"):], ".jar")
	program := Program{Name: "kafka", Path: "java", Args: append(java, "kafka.Kafka", config), Dir: dir}
	return startBroker(ctx, name, addrs[0], program)
}

// kfakeCommand is the argument that makes ServeKfake run the broker.
const kfakeCommand = "serve-kfake"

// StartKfake starts the laptop edition's broker by running this program again. Its main must call ServeKfake first.
func StartKfake(ctx context.Context, dir string) (*Broker, error) {
	addrs, err := embedded.FreeAddrs("127.0.0.1", 1)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{kfakeCommand, addrs[0], filepath.Join(dir, "data")}
	program := Program{Name: "kfake", Path: self, Args: args, Dir: dir}
	return startBroker(ctx, "kfake, the laptop edition's broker", addrs[0], program)
}

// ServeKfake runs the broker and does not return if StartKfake started this process. Otherwise it does nothing.
func ServeKfake() {
	if len(os.Args) != 4 || os.Args[1] != kfakeCommand {
		return
	}
	if _, err := embedded.StartBroker(embedded.BrokerConfig{Addr: os.Args[2], Dir: os.Args[3]}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {} // it ends with its parent process
}

func startBroker(ctx context.Context, name, addr string, program Program) (*Broker, error) {
	process, err := program.Start()
	if err != nil {
		return nil, err
	}
	b := &Broker{process, name, addr}
	if err := b.await(ctx); err != nil {
		process.Stop()
		return nil, err
	}
	return b, nil
}

// await returns when the broker answers requests, which is later than when it listens.
func (b *Broker) await(ctx context.Context) error {
	if err := b.AwaitPort(ctx, b.Addr); err != nil {
		return err
	}
	client, err := b.Stream("ready", 1)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return client.AwaitTopics(ctx)
}

// Stream returns a client for the topics of a prefix. Topics that it creates have the given number of partitions.
// The caller closes it.
func (b *Broker) Stream(prefix string, partitions int) (*stream.Client, error) {
	config := stream.Config{
		Brokers: []string{b.Addr}, TopicPrefix: prefix, Partitions: int32(partitions), Replication: 1,
		Retention: 24 * time.Hour, DeadLetterRetention: 24 * time.Hour,
	}
	return stream.NewClient(config, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}
