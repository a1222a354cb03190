package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
)

// Config says which brokers and topics to use. Its fields are flags of every program.
type Config struct {
	Brokers             []string      `help:"Kafka brokers to start from, as host:port." placeholder:"HOST:PORT" sep:","`
	TopicPrefix         string        `help:"What the topics' names begin with." default:"millrace"`
	Partitions          int32         `help:"Partitions of a topic that is created. A product's events share one, unless its connections have salts." default:"16"`
	Replication         int16         `help:"Replicas of a topic that is created; 3 survive the loss of a broker. -1 takes the brokers' own default." default:"-1"`
	Retention           time.Duration `help:"How long the ingest topic keeps messages, and so how far back a replay can reach." default:"168h"`
	DeadLetterRetention time.Duration `help:"How long the dead-letters topic keeps messages." default:"720h"`

	Access Access `embed:"" prefix:"kafka-"`
}

// Validate checks everything that can be checked before a broker is asked.
func (c *Config) Validate() error {
	switch {
	case len(c.Brokers) == 0:
		return errors.New("no Kafka brokers are named: set --brokers (MILLRACE_BROKERS) to host:port[,host:port…]")
	case c.TopicPrefix == "":
		return errors.New("--topic-prefix must not be empty")
	case c.Partitions < 1 || c.Partitions > 10_000:
		return fmt.Errorf("--partitions is %d, but must be from 1 to 10000", c.Partitions)
	case c.Replication == 0 || c.Replication < -1:
		return fmt.Errorf("--replication is %d, but must be at least 1, or -1 for the brokers' default", c.Replication)
	case c.Retention < time.Hour || c.DeadLetterRetention < time.Hour:
		return errors.New("--retention and --dead-letter-retention must be at least 1h: the loader needs time to catch up")
	}
	return c.Access.check()
}

// Client is a connection to the brokers for administration, and the factory of everything that reads
// or writes.
type Client struct {
	config  Config
	topics  Topics
	log     *slog.Logger
	metrics prometheus.Registerer
	kafka   *kgo.Client
	admin   *kadm.Client
}

// NewClient prepares a client. It does not wait for a broker to answer: see Ping.
func NewClient(config Config, log *slog.Logger, metrics prometheus.Registerer) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	c := &Client{config: config, topics: config.topics(), log: log, metrics: metrics}
	kafka, err := kgo.NewClient(c.options()...)
	if err != nil {
		return nil, fmt.Errorf("configure the Kafka client: %w", err)
	}
	c.kafka, c.admin = kafka, kadm.NewClient(kafka)
	return c, nil
}

// metadataMinAge is how soon after one look at the cluster the next may come: after a leader is lost
// it is what the time to recover hangs on.
const metadataMinAge = 250 * time.Millisecond

func (c *Client) options(more ...kgo.Opt) []kgo.Opt {
	options := append(c.config.Access.options(),
		kgo.SeedBrokers(c.config.Brokers...),
		kgo.SoftwareNameAndVersion("millrace", "1"),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.WithLogger(kafkaLog{c.log}),
	)
	return append(options, more...)
}

// metricsHook adds the Kafka client's own metrics under millrace_kafka_<part>_….
func (c *Client) metricsHook(part string) kgo.Opt {
	return kgo.WithHooks(kprom.NewMetrics("millrace", kprom.Subsystem("kafka_"+part), kprom.Registerer(c.metrics)))
}

// Topics returns the topics' names.
func (c *Client) Topics() Topics { return c.topics }

// Ping asks any broker for an answer.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.kafka.Ping(ctx); err != nil {
		return fmt.Errorf("no Kafka broker of %v answers: %w", c.config.Brokers, withRemedy(err))
	}
	return nil
}

// Close ends the connections. What was made from the client is closed on its own.
func (c *Client) Close() { c.kafka.Close() }

// kafkaLog passes the Kafka client's messages on; what it calls information is detail to us.
type kafkaLog struct{ log *slog.Logger }

func (l kafkaLog) Level() kgo.LogLevel {
	switch {
	case l.log.Enabled(context.Background(), slog.LevelDebug):
		return kgo.LogLevelInfo
	case l.log.Enabled(context.Background(), slog.LevelWarn):
		return kgo.LogLevelWarn
	}
	return kgo.LogLevelError
}

func (l kafkaLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug
	switch level {
	case kgo.LogLevelError:
		to = slog.LevelError
	case kgo.LogLevelWarn:
		to = slog.LevelWarn
	}
	l.log.Log(context.Background(), to, "kafka: "+msg, keyvals...)
}
