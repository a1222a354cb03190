package env

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/test/env/kafka"
)

// wipeTimeout is how long the brokers may take to forget the last test.
const wipeTimeout = 30 * time.Second

// apache is the test binary's Apache Kafka, started by the first test that needs it.
var apache struct {
	sync.Mutex
	cluster *kafka.Cluster
	dir     string
	lent    string // the test that has it
}

// Broker returns a broker without topics and groups, gone when the test ends: one in memory of the test's
// own or, where that is asked for, Apache Kafka. Only the first has a Cluster, for its faults.
func Broker(t testing.TB) *embedded.Broker {
	t.Helper()
	if os.Getenv(kafka.JarsEnv) != "" {
		return embedded.BrokerElsewhere(lendApache(t))
	}
	broker, err := embedded.StartBroker(embedded.BrokerConfig{})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	return broker
}

// KfakeOnly skips a test in the Apache Kafka run, where Broker returns no broker of the test's own. "make test" runs
// it.
func KfakeOnly(t testing.TB) {
	t.Helper()
	if os.Getenv(kafka.JarsEnv) != "" {
		t.Skip("this test runs on the broker of its own process only: make test runs it")
	}
}

// InProcessBroker returns a broker in the test's own process, which makes faults on request. It skips the test in the
// Apache Kafka run.
func InProcessBroker(t testing.TB) *embedded.Broker {
	t.Helper()
	KfakeOnly(t)
	return Broker(t)
}

// lendApache empties the one cluster. It is for one test at a time: the topics of two would have the same names.
func lendApache(t testing.TB) (addr string) {
	t.Helper()
	apache.Lock()
	defer apache.Unlock()
	require.Contains(t, []string{"", t.Name()}, apache.lent, "two tests at once want Apache Kafka")
	apache.lent = t.Name()
	t.Cleanup(func() {
		apache.Lock()
		defer apache.Unlock()
		apache.lent = ""
	})
	require.NoError(t, startApache())
	ctx, cancel := context.WithTimeout(context.Background(), wipeTimeout)
	defer cancel()
	require.NoError(t, apache.cluster.Wipe(ctx))
	return apache.cluster.Addrs()[0]
}

func startApache() (err error) {
	if apache.cluster != nil {
		return nil
	}
	if apache.dir, err = os.MkdirTemp("", "millrace-test-*"); err != nil {
		return err
	}
	apache.cluster, err = kafka.Launch(apache.dir)
	return err
}

func stopApache() error {
	apache.Lock()
	defer apache.Unlock()
	if apache.dir == "" {
		return nil
	}
	if apache.cluster != nil {
		apache.cluster.Stop()
	}
	return os.RemoveAll(apache.dir)
}
