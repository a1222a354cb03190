package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sethvargo/go-retry"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Topics are the names of the three topics.
type Topics struct {
	Ingest      string // every accepted message, keyed by product: the partition is the product's lock
	Connections string // the registry of connections, compacted
	DeadLetters string // messages that cannot become events, whole and with the reason
}

func (c *Config) topics() Topics {
	return Topics{
		Ingest:      c.TopicPrefix + ".ingest",
		Connections: c.TopicPrefix + ".connections",
		DeadLetters: c.TopicPrefix + ".dead-letters",
	}
}

// DeadLetterRecordBytes bounds a record of the dead-letters topic: a message that is refused for its
// size is kept whole, so it can be as large as a body.
const DeadLetterRecordBytes = 16 << 20

const (
	cleanupPolicy = "cleanup.policy"
	compact       = "compact"
)

type topicSpec struct {
	name       string
	partitions int32
	settings   map[string]string
}

func (c *Config) specs() []topicSpec {
	t := c.topics()
	millis := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	return []topicSpec{
		{t.Ingest, c.Partitions, map[string]string{
			"retention.ms": millis(c.Retention),
		}},
		{t.Connections, 1, map[string]string{
			cleanupPolicy: compact,
		}},
		{t.DeadLetters, c.Partitions, map[string]string{
			"retention.ms":      millis(c.DeadLetterRetention),
			"max.message.bytes": strconv.Itoa(DeadLetterRecordBytes),
		}},
	}
}

// EnsureTopics creates the topics that are missing. It leaves those that exist as they are, but
// refuses a registry that would not be read in order or would forget.
func (c *Client) EnsureTopics(ctx context.Context) error {
	return retry.Do(ctx, retry.NewConstant(metadataMinAge), func(ctx context.Context) error {
		err := c.ensureTopics(ctx)
		if errors.Is(err, kerr.TopicAlreadyExists) {
			// Somebody has just made it, and the broker that listed the topics has not heard of it yet: what was
			// not seen has not been checked.
			return retry.RetryableError(err)
		}
		return err
	})
}

func (c *Client) ensureTopics(ctx context.Context) error {
	existing, err := c.admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	for _, spec := range c.config.specs() {
		found, ok := existing[spec.name]
		switch {
		case !ok || errors.Is(found.Err, kerr.UnknownTopicOrPartition):
			if err := c.create(ctx, spec); err != nil {
				return err
			}
		case spec.name == c.topics.Connections:
			if err := c.checkRegistry(ctx, spec.name, len(found.Partitions)); err != nil {
				return err
			}
		}
	}
	return nil
}

// AwaitTopics makes sure of the topics, and tries again for as long as the brokers are away.
func (c *Client) AwaitTopics(ctx context.Context) error {
	backoff := retry.WithCappedDuration(awaitMost, retry.NewExponential(awaitFirst))
	return retry.Do(ctx, backoff, func(ctx context.Context) error {
		attempt, cancel := context.WithTimeout(ctx, awaitAttempt)
		defer cancel()
		err := c.EnsureTopics(attempt)
		if err == nil || errors.Is(err, errTopicUnfit) || ctx.Err() != nil {
			return err
		}
		c.log.Warn("waiting for the Kafka brokers", "brokers", c.config.Brokers, "error", err)
		return retry.RetryableError(err)
	})
}

const (
	awaitFirst   = 200 * time.Millisecond
	awaitMost    = 5 * time.Second
	awaitAttempt = 10 * time.Second
)

// errTopicUnfit is what no waiting mends.
var errTopicUnfit = errors.New("a topic is not as it must be")

func (c *Client) create(ctx context.Context, spec topicSpec) error {
	settings := map[string]*string{}
	if c.config.Replication > 0 {
		settings["min.insync.replicas"] = kadm.StringPtr(strconv.Itoa(c.config.minInsync()))
	}
	for name, value := range spec.settings {
		settings[name] = kadm.StringPtr(value)
	}
	_, err := c.admin.CreateTopic(ctx, spec.partitions, c.config.Replication, settings, spec.name)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", spec.name, err)
	}
	return nil
}

// checkRegistry refuses a topic that is no registry: of several partitions there is no one order, and
// without compaction alone the brokers delete connections with age.
func (c *Client) checkRegistry(ctx context.Context, name string, partitions int) error {
	if partitions != 1 {
		return fmt.Errorf("%w: %s has %d partitions, but a registry must have one: delete it or choose another --topic-prefix", errTopicUnfit, name, partitions)
	}
	configs, err := c.admin.DescribeTopicConfigs(ctx, name)
	if err != nil {
		return fmt.Errorf("describe topic %s: %w", name, err)
	}
	config, err := configs.On(name, nil)
	if err != nil {
		return fmt.Errorf("describe topic %s: %w", name, err)
	}
	if config.Err != nil {
		return fmt.Errorf("describe topic %s: %w", name, config.Err)
	}
	for _, setting := range config.Configs {
		if policy := setting.MaybeValue(); setting.Key == cleanupPolicy && policy != compact {
			return fmt.Errorf("%w: %s has cleanup.policy=%s, but a registry must have compact: alter it or choose another --topic-prefix", errTopicUnfit, name, policy)
		}
	}
	return nil
}

// minInsync makes acks=all mean that the loss of one broker loses nothing, where there are enough
// replicas for that. Where the brokers choose how many, it is theirs to choose this too.
func (c *Config) minInsync() int { return max(1, int(c.Replication)-1) }
