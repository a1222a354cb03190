package stream

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/test/env"
)

func TestMain(m *testing.M) { env.Main(m) }

func configFor(t testing.TB, addr string) Config {
	t.Helper()
	config := Config{Brokers: []string{addr}}
	require.NoError(t, kong.ApplyDefaults(&config))
	config.Partitions = 4
	return config
}

func clientFor(t testing.TB, config Config) *Client {
	t.Helper()
	c, err := NewClient(config, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// started is a broker with the topics, and a client of it.
func started(t testing.TB) (*embedded.Broker, *Client) {
	t.Helper()
	broker := env.Broker(t)
	c := clientFor(t, configFor(t, broker.Addr()))
	require.NoError(t, c.EnsureTopics(t.Context()))
	return broker, c
}

func producerOf(t testing.TB, c *Client, change func(*ProducerConfig)) *Producer {
	t.Helper()
	var config ProducerConfig
	require.NoError(t, kong.ApplyDefaults(&config))
	if change != nil {
		change(&config)
	}
	p, err := c.NewProducer("test", config)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = p.Close(ctx) // some tests leave records that nobody will ever acknowledge
	})
	return p
}

// foreign is a Kafka client of somebody else's.
func foreign(t testing.TB, c *Client, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	kafka, err := kgo.NewClient(append(options, kgo.SeedBrokers(c.config.Brokers...))...)
	require.NoError(t, err)
	t.Cleanup(kafka.Close)
	return kafka
}

// fetch reads the first n records of a topic.
func fetch(t testing.TB, c *Client, topic string, n int) []*kgo.Record {
	t.Helper()
	kafka := foreign(t, c, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var records []*kgo.Record
	for len(records) < n {
		fetches := kafka.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}

// eventually waits for what another goroutine or the broker brings about.
func eventually(t testing.TB, met func() bool, what string) {
	t.Helper()
	require.Eventually(t, met, 20*time.Second, 5*time.Millisecond, what)
}
