package kafka

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/millrace/millrace/pkg/embedded/process"
	"github.com/millrace/millrace/test/env/certs"
)

// settings are what differs from the brokers' defaults. Time-outs do not: how long a failover takes is
// what a test must live with. A handful of partitions instead of fifty hold the groups' offsets, and a
// first member is not kept waiting for others, so that tests take seconds less. Each node is a rack of its own, and
// listens a second time with TLS and logins.
const settings = `process.roles=broker,controller
node.id=%[1]d
broker.rack=%[6]s
replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
listeners=PLAINTEXT://%[2]s,SECURED://%[7]s,CONTROLLER://%[3]s
advertised.listeners=PLAINTEXT://%[2]s,SECURED://%[7]s
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL
listener.name.secured.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.secured.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_%[8]s="%[9]s";
listener.name.secured.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secured.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secured.ssl.keystore.type=PEM
listener.name.secured.ssl.keystore.location=%[10]s
controller.listener.names=CONTROLLER
controller.quorum.voters=%[4]s
log.dirs=%[5]s
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=5
group.initial.rebalance.delay.ms=0
`

// clusterID is any 16 bytes in base64; nothing but these nodes sees it.
const clusterID = "bWlsbHJhY2UtdGVzdC0xMQ"

// Node is one broker and controller. Its methods are for one goroutine at a time.
type Node struct {
	ID   int32
	Addr string // host:port for clients; the same after every start
	// Secured is the same for clients with TLS and a login.
	Secured string

	controller string // host:port for the other nodes
	dir        string
	jars       string

	*process.Process // the latest run
}

// User and Password log in at Secured, with PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
const (
	User     = "millrace"
	Password = "correct-horse"
)

func scram(mechanism string) string {
	return fmt.Sprintf("%s=[name=%s,iterations=4096,password=%s]", mechanism, User, Password)
}

// Rack is where the node says it stands.
func (n *Node) Rack() string { return fmt.Sprintf("rack-%d", n.ID) }

func (n *Node) configFile() string { return filepath.Join(n.dir, "server.properties") }
func (n *Node) keystore() string   { return filepath.Join(n.dir, "keystore.pem") }
func (n *Node) logFile() string    { return filepath.Join(n.dir, "node.log") }

// DataDir is where the node of a cluster in dir keeps its log.
func DataDir(dir string, id int32) string {
	return filepath.Join(dir, fmt.Sprintf("node-%d", id), "data")
}

// format makes the node's data folder, as a cluster wants it before its first start.
func (n *Node) format(voters string, by *certs.Authority) error {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf(
		settings,
		n.ID,
		n.Addr,
		n.controller,
		voters,
		filepath.Join(n.dir, "data"),
		n.Rack(),
		n.Secured,
		User,
		Password,
		n.keystore(),
	)
	if err := os.WriteFile(n.configFile(), []byte(text), 0o644); err != nil {
		return err
	}
	if err := n.certify(by); err != nil {
		return err
	}
	out, err := n.java("kafka.tools.StorageTool", "format", "--cluster-id", clusterID, "--config", n.configFile(),
		"--add-scram", scram("SCRAM-SHA-256"), "--add-scram", scram("SCRAM-SHA-512")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format the storage of node %d: %w: %s", n.ID, err, out)
	}
	return nil
}

// certify makes the node's keystore: its key and its certificate in one file.
func (n *Node) certify(by *certs.Authority) error {
	pair, err := by.Sign(fmt.Sprintf("node-%d", n.ID))
	if err != nil {
		return err
	}
	var both []byte
	for _, file := range []string{pair.Key, pair.Cert} {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		both = append(both, b...)
	}
	return os.WriteFile(n.keystore(), both, 0o600)
}

// java is a small machine's: three nodes share two cores with the tests, and are not up long enough for
// the optimizing compiler to pay.
func (n *Node) java(args ...string) *exec.Cmd {
	return exec.Command("java", append([]string{
		"-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", filepath.Join(n.jars, "*"),
	}, args...)...)
}

// Start starts the node, which must not run. It does not wait until it is ready: see Cluster.AwaitInSync.
func (n *Node) Start() (err error) {
	java := n.java("kafka.Kafka", n.configFile())
	n.Process, err = process.Start(process.Config{
		Name: fmt.Sprintf("node %d", n.ID), Path: java.Path, Args: java.Args[1:], LogFile: n.logFile(),
	})
	return err
}

// Kill sends SIGKILL and returns when the process has ended. A node that has ended or never ran is left alone.
func (n *Node) Kill() {
	if n.Process != nil {
		n.Process.Kill()
	}
}

// Pause stops the process: its connections stay open and nothing answers.
func (n *Node) Pause() error { return n.Signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (n *Node) Continue() error { return n.Signal(syscall.SIGCONT) }
