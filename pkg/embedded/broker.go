package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// brokerDefaults differ from a server's: a laptop that was shut for two weeks must find its backlog and
// its groups' offsets again. A topic's own retention still holds.
var brokerDefaults = map[string]string{
	"log.retention.ms":           "-1",
	"offsets.retention.minutes":  "5256000", // ten years
	"default.replication.factor": "1",
}

// BrokerConfig says where and how the broker runs.
type BrokerConfig struct {
	Dir        string       // data folder, made if need be; empty: everything in memory
	Addr       string       // host:port; port 0 picks one; default 127.0.0.1:0
	SyncWrites bool         // fsync every batch: survives a power cut too, not only the end of this process
	Logger     *slog.Logger // default discards
	Options    []kfake.Opt  // for tests: TLS, logins, other defaults
}

// Broker is one Kafka broker in this process, or the name of one that is not.
type Broker struct {
	addr    string
	cluster *kfake.Cluster // nil for one elsewhere
	lock    *os.File       // nil in memory
	cancel  context.CancelFunc
	closed  sync.Once
}

// StartBroker starts the broker; it is ready when this returns. Topics have to be created explicitly: only
// then do they outlive a kill of this process. In a Dir, an acknowledged record, a committed offset and a
// topic with its settings survive kill -9 of this process, with or without SyncWrites.
func StartBroker(config BrokerConfig) (*Broker, error) {
	b := &Broker{}
	if config.Dir != "" {
		lock, err := lockDir(context.Background(), config.Dir)
		if err != nil {
			return nil, fmt.Errorf("start the broker: %w", err)
		}
		b.lock = lock
	}
	if err := b.start(config); err != nil {
		b.unlock()
		return nil, fmt.Errorf("start the broker: %w", err)
	}
	return b, nil
}

func (b *Broker) start(config BrokerConfig) error {
	host, port, err := resolve(orLoopback(config.Addr))
	if err != nil {
		return fmt.Errorf("choose a port: %w", err)
	}
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.BrokerConfigs(brokerDefaults),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			return net.Listen(network, joinPort(host, port))
		}),
	}
	if config.Dir != "" {
		options = append(options, kfake.DataDir(config.Dir))
	}
	if config.SyncWrites {
		options = append(options, kfake.SyncWrites())
	}
	if config.Logger != nil {
		options = append(options, kfake.WithLogger(brokerLogger{config.Logger}))
	}
	if b.cluster, err = kfake.NewCluster(append(options, config.Options...)...); err != nil {
		return err
	}
	b.addr = b.cluster.ListenAddrs()[0]
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(context.Background())
	return expireStrays(ctx, b.cluster)
}

// BrokerElsewhere stands for a broker that somebody else runs. Close does nothing to it.
func BrokerElsewhere(addr string) *Broker { return &Broker{addr: addr} }

// Addr is host:port, as clients name it for a seed.
func (b *Broker) Addr() string { return b.addr }

// Cluster is the broker underneath, for faults in tests. There is none for a broker elsewhere.
func (b *Broker) Cluster() *kfake.Cluster {
	if b.cluster == nil {
		panic("BUG: the broker at " + b.addr + " is not in this process: no faults can be asked of it")
	}
	return b.cluster
}

// Close stops the broker and writes down what a start would otherwise have to work out. Further calls do
// nothing.
func (b *Broker) Close() {
	b.closed.Do(func() {
		if b.cluster != nil {
			b.cancel()
			b.cluster.Close()
		}
		b.unlock()
	})
}

func (b *Broker) unlock() {
	if b.lock != nil {
		b.lock.Close()
	}
}

// brokerLogger hands the broker's own log on.
type brokerLogger struct{ to *slog.Logger }

func (l brokerLogger) Logf(level kfake.LogLevel, format string, args ...any) {
	to, known := brokerLevels[level]
	if !known || !l.to.Enabled(context.Background(), to) {
		return
	}
	l.to.Log(context.Background(), to, fmt.Sprintf(format, args...), "from", "broker")
}

// Information is one step down: the broker tells much that only its authors want to know.
var brokerLevels = map[kfake.LogLevel]slog.Level{
	kfake.LogLevelError: slog.LevelError,
	kfake.LogLevelWarn:  slog.LevelWarn,
	kfake.LogLevelInfo:  slog.LevelDebug,
}
