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
	Ingest      string // every accepted message, keyed by workspace and product: the partition is the product's lock
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

// The settings of topics that matter to us.
const (
	cleanupPolicy   = "cleanup.policy"
	retentionMs     = "retention.ms"
	retentionBytes  = "retention.bytes"
	maxMessageBytes = "max.message.bytes"
	minInsync       = "min.insync.replicas"
	uncleanElection = "unclean.leader.election.enable"

	compact     = "compact"
	deleteByAge = "delete"
)

type topicSpec struct {
	name       string
	partitions int32
	settings   map[string]string
}

// specs name cleanup.policy though delete is the brokers' own default: where somebody has changed that to compact, all
// messages of a product but the last would be forgotten.
func (c *Config) specs() []topicSpec {
	t := c.topics()
	millis := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	return []topicSpec{
		{t.Ingest, c.Partitions, map[string]string{
			cleanupPolicy: deleteByAge,
			retentionMs:   millis(c.Retention),
		}},
		{t.Connections, 1, map[string]string{
			cleanupPolicy: compact,
		}},
		{t.DeadLetters, c.Partitions, map[string]string{
			cleanupPolicy:   deleteByAge,
			retentionMs:     millis(c.DeadLetterRetention),
			maxMessageBytes: strconv.Itoa(DeadLetterRecordBytes),
		}},
	}
}

// EnsureTopics creates the topics that are missing. It leaves those that exist as they are, refuses those that would
// break a promise, and logs settings that should be changed.
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
	found, err := c.inspect(ctx)
	if err != nil {
		return err
	}
	for i := range found {
		if !found[i].exists {
			if err := c.create(ctx, found[i].spec); err != nil {
				return err
			}
			continue
		}
		if err := c.validate(&found[i]); err != nil {
			return err
		}
	}
	return nil
}

// validate refuses a topic that would break a promise. Settings that cannot be read are not known to.
func (c *Client) validate(t *topicState) error {
	if t.err != nil {
		if t.spec.name == c.topics.Connections {
			return t.err
		}
		c.log.Warn("the settings of a topic cannot be checked", "topic", t.spec.name, "error", t.err)
	}
	for _, f := range c.config.problems(t) {
		switch f.severity {
		case invalid:
			return fmt.Errorf("%w: %s %s: %s", errInvalidTopic, t.spec.name, f.found, f.change)
		case warning:
			c.log.Warn("topic setting should be changed", "topic", t.spec.name, "found", f.found, "change", f.change)
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
		if err == nil || errors.Is(err, errInvalidTopic) || ctx.Err() != nil {
			return err
		}
		c.log.Warn("waiting for the Kafka brokers", "brokers", c.config.Brokers, "error", withRemedy(err))
		return retry.RetryableError(err)
	})
}

const (
	awaitFirst   = 200 * time.Millisecond
	awaitMost    = 5 * time.Second
	awaitAttempt = 10 * time.Second
)

// errInvalidTopic is what no waiting mends.
var errInvalidTopic = errors.New("a topic is not as it must be")

func (c *Client) create(ctx context.Context, spec topicSpec) error {
	settings := map[string]*string{}
	if c.config.Replication > 0 {
		settings[minInsync] = kadm.StringPtr(strconv.Itoa(c.config.minInsync()))
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

// minInsync makes acks=all mean that the loss of one broker loses nothing, where there are enough
// replicas for that. Where the brokers choose how many, it is theirs to choose this too.
func (c *Config) minInsync() int { return max(1, int(c.Replication)-1) }
