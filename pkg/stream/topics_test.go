package stream

import (
	"context"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/test/env"
)

// settings are those of a topic's own settings that tests look at.
func settings(t *testing.T, c *Client, topic string) map[string]string {
	t.Helper()
	configs, err := c.admin.DescribeTopicConfigs(t.Context(), topic)
	require.NoError(t, err)
	config, err := configs.On(topic, nil)
	require.NoError(t, err)
	found := map[string]string{}
	for _, setting := range config.Configs {
		switch setting.Key {
		case cleanupPolicy, retentionMs, maxMessageBytes, minInsync:
			found[setting.Key] = setting.MaybeValue()
		}
	}
	return found
}

// requirePartitions waits for the topics to be known to the node that is asked: it need not be the first to
// hear of them.
func requirePartitions(t *testing.T, c *Client, want map[string]int) {
	t.Helper()
	admin := kadm.NewClient(foreign(t, c, kgo.MetadataMinAge(10*time.Millisecond))) // ours remembers for a while
	var found map[string]int
	eventually(t, func() bool {
		listed, err := admin.ListTopics(t.Context())
		require.NoError(t, err)
		found = map[string]int{}
		for name, topic := range listed {
			found[name] = len(topic.Partitions)
		}
		return maps.Equal(want, found)
	}, "the topics and their partitions")
}

func TestTopicsAreCreatedAsConfigured(t *testing.T) {
	config := configFor(t, env.Broker(t).Addr())
	config.Retention, config.DeadLetterRetention, config.Replication = 2*time.Hour, 3*time.Hour, 1
	c := clientFor(t, config)
	require.NoError(t, c.EnsureTopics(t.Context()))
	requirePartitions(t, c, map[string]int{"millrace.ingest": 4, "millrace.connections": 1, "millrace.dead-letters": 4})

	ingest := settings(t, c, c.Topics().Ingest)
	require.Equal(t, "7200000", ingest["retention.ms"])
	require.Equal(t, "delete", ingest["cleanup.policy"])
	require.Equal(t, "1", ingest["min.insync.replicas"])
	require.Equal(t, "compact", settings(t, c, c.Topics().Connections)["cleanup.policy"])
	letters := settings(t, c, c.Topics().DeadLetters)
	require.Equal(t, "10800000", letters["retention.ms"])
	require.Equal(t, "16777216", letters["max.message.bytes"])
}

func TestTopicsThatExistAreLeftAsTheyAre(t *testing.T) {
	config := configFor(t, env.Broker(t).Addr())
	require.NoError(t, clientFor(t, config).EnsureTopics(t.Context()))
	config.Partitions, config.Retention = 9, 999*time.Hour
	c := clientFor(t, config)
	require.NoError(t, c.EnsureTopics(t.Context()))
	requirePartitions(t, c, map[string]int{"millrace.ingest": 4, "millrace.connections": 1, "millrace.dead-letters": 4})
	require.Equal(t, "604800000", settings(t, c, c.Topics().Ingest)["retention.ms"])
}

func TestMinInsyncReplicas(t *testing.T) {
	for replication, want := range map[int16]int{1: 1, 2: 1, 3: 2, 5: 4} {
		require.Equal(t, want, (&Config{Replication: replication}).minInsync())
	}
	// Where the brokers choose the replicas, their own minimum must not be lowered.
	config := configFor(t, env.Broker(t).Addr())
	config.Replication = -1
	c := clientFor(t, config)
	require.NoError(t, c.EnsureTopics(t.Context()))
	configs, err := c.admin.DescribeTopicConfigs(t.Context(), c.Topics().Ingest)
	require.NoError(t, err)
	for _, setting := range configs[0].Configs {
		if setting.Key == "min.insync.replicas" {
			require.Contains(t, setting.Source.String(), "DEFAULT")
		}
	}
}

func TestAnUnfitRegistryIsRefused(t *testing.T) {
	for what, unfit := range map[string]struct {
		partitions int32
		policy     string
	}{
		"has 3 partitions, but a registry must have one":                  {3, "compact"},
		"has cleanup.policy=delete, but a registry must have compact":     {1, "delete"},
		"has cleanup.policy=compact,delete, but a registry must have com": {1, "compact,delete"},
	} {
		c := clientFor(t, configFor(t, env.Broker(t).Addr()))
		_, err := c.admin.CreateTopic(t.Context(), unfit.partitions, 1, map[string]*string{"cleanup.policy": &unfit.policy}, c.Topics().Connections)
		require.NoError(t, err)
		require.Eventually(t, func() bool { // when the brokers that are asked have heard of it
			err := c.EnsureTopics(t.Context())
			return err != nil && strings.Contains(err.Error(), what)
		}, 10*time.Second, 10*time.Millisecond, what)
		require.ErrorContains(t, c.AwaitTopics(t.Context()), what, "waiting mends nothing")
	}
}

func TestAwaitTopicsWaitsForABrokerThatComesLate(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	c := clientFor(t, configFor(t, addr))
	require.Error(t, c.Ping(t.Context()), "the control: there is no broker")

	waited := make(chan error, 1)
	go func() { waited <- c.AwaitTopics(t.Context()) }()
	time.Sleep(2 * awaitFirst)
	require.Empty(t, waited)
	broker, err := embedded.StartBroker(embedded.BrokerConfig{Addr: addr})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	require.NoError(t, <-waited)
	require.NoError(t, c.Ping(t.Context()))
	requirePartitions(t, c, map[string]int{"millrace.ingest": 4, "millrace.connections": 1, "millrace.dead-letters": 4})
}

func TestAwaitTopicsEndsWithItsContext(t *testing.T) {
	c := clientFor(t, configFor(t, "127.0.0.1:1"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*awaitFirst)
	defer cancel()
	require.Error(t, c.AwaitTopics(ctx))
	require.Error(t, ctx.Err())
}

func TestTwoThatCreateTheTopicsAtOnce(t *testing.T) {
	config := configFor(t, env.Broker(t).Addr())
	c := clientFor(t, config)
	done := make(chan error, 8)
	for range cap(done) {
		go func() { done <- c.EnsureTopics(t.Context()) }()
	}
	for range cap(done) {
		require.NoError(t, <-done)
	}
	requirePartitions(t, c, map[string]int{"millrace.ingest": 4, "millrace.connections": 1, "millrace.dead-letters": 4})
}

func TestConfigIsChecked(t *testing.T) {
	good := configFor(t, "localhost:9092")
	require.NoError(t, good.Validate())
	for want, spoil := range map[string]func(*Config){
		"--brokers":      func(c *Config) { c.Brokers = nil },
		"--topic-prefix": func(c *Config) { c.TopicPrefix = "" },
		"--partitions":   func(c *Config) { c.Partitions = 0 },
		"--replication":  func(c *Config) { c.Replication = 0 },
		"--retention":    func(c *Config) { c.DeadLetterRetention = time.Minute },
	} {
		config := good
		spoil(&config)
		require.ErrorContains(t, config.Validate(), want)
	}
	_, err := NewClient(Config{}, nil, nil)
	require.ErrorContains(t, err, "--brokers")
}
