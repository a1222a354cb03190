package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// topicState is one of our topics as the brokers have it.
type topicState struct {
	spec       topicSpec
	exists     bool
	partitions kadm.PartitionDetails
	settings   map[string]string // nil if err is set
	err        error             // why its settings cannot be read
}

// inspect looks at all of our topics.
func (c *Client) inspect(ctx context.Context) ([]topicState, error) {
	specs := c.config.specs()
	existing, err := c.admin.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	all := make([]topicState, 0, len(specs))
	for _, spec := range specs {
		t := topicState{spec: spec}
		if found, ok := existing[spec.name]; ok && !errors.Is(found.Err, kerr.UnknownTopicOrPartition) {
			t.exists, t.partitions = true, found.Partitions
			t.settings, t.err = c.settings(ctx, spec.name)
		}
		all = append(all, t)
	}
	return all, nil
}

func (c *Client) settings(ctx context.Context, topic string) (map[string]string, error) {
	described, err := c.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	config, err := described.On(topic, nil)
	if err == nil {
		err = config.Err
	}
	if err != nil {
		return nil, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	settings := map[string]string{}
	for _, setting := range config.Configs {
		settings[setting.Key] = setting.MaybeValue()
	}
	return settings, nil
}

// number is a setting's value, if it is known.
func (t *topicState) number(setting string) (n int64, known bool) {
	n, err := strconv.ParseInt(t.settings[setting], 10, 64)
	return n, err == nil
}

// replicas is how many the worst partition has.
func (t *topicState) replicas() int {
	fewest := 0
	for _, p := range t.partitions {
		if n := len(p.Replicas); fewest == 0 || n < fewest {
			fewest = n
		}
	}
	return fewest
}

// problem is what is amiss with a topic. found goes on after the topic's name.
type problem struct {
	severity      severity
	found, change string
}

type severity int

const (
	advice  severity = iota // only for who asks
	warning                 // works, but should be changed
	invalid                 // breaks a promise
)

// problems is the one judgement over topics: of every start, and of the doctor.
func (c *Config) problems(t *topicState) []problem {
	if len(t.partitions) == 0 {
		return nil // a broker that has just heard of it
	}
	registry := t.spec.settings[cleanupPolicy] == compact
	var all []problem
	if n := len(t.partitions); registry && n != 1 {
		all = append(
			all,
			problem{
				invalid,
				fmt.Sprintf("has %d partitions, but a registry must have one", n),
				"delete it or choose another --topic-prefix",
			},
		)
	}
	all = append(all, c.replicaProblems(t)...)
	if t.settings == nil {
		return all
	}
	switch policy := t.settings[cleanupPolicy]; {
	case registry && policy != compact:
		// Without compaction alone the brokers delete connections with age.
		all = append(
			all,
			problem{
				invalid,
				"has cleanup.policy=" + policy + ", but a registry must have compact",
				alter(t, cleanupPolicy, compact) + ", or choose another --topic-prefix",
			},
		)
	case !registry && strings.Contains(policy, compact):
		all = append(
			all,
			problem{
				invalid,
				"has cleanup.policy=" + policy + ", which forgets messages",
				alter(t, cleanupPolicy, deleteByAge),
			},
		)
	}
	if !registry {
		all = append(all, c.sizeProblems(t)...)
	}
	return all
}

// replicaProblems is about what an acknowledgement is worth.
func (c *Config) replicaProblems(t *topicState) (all []problem) {
	replicas := t.replicas()
	if want := int(c.Replication); want > replicas {
		all = append(
			all,
			problem{
				warning,
				fmt.Sprintf("has %d of the %d replicas that --replication names", replicas, want),
				"add replicas with kafka-reassign-partitions.sh",
			},
		)
	} else if replicas == 1 && want < 1 {
		all = append(
			all,
			problem{
				advice,
				"has one replica, so the loss of a broker loses messages",
				"have three brokers and --replication 3, and add replicas with kafka-reassign-partitions.sh",
			},
		)
	}
	best := strconv.Itoa(max(1, replicas-1))
	switch needed, known := t.number(minInsync); {
	case known && int(needed) > replicas:
		all = append(
			all,
			problem{
				warning,
				fmt.Sprintf(
					"has min.insync.replicas=%d and %d replicas, which some versions of Kafka take no writes to",
					needed,
					replicas,
				),
				alter(t, minInsync, best),
			},
		)
	case known && replicas > 2 && needed == 1:
		all = append(
			all,
			problem{
				warning,
				fmt.Sprintf(
					"has min.insync.replicas=1 of %d replicas, so what was answered with 200 can be lost with one broker",
					replicas,
				),
				alter(t, minInsync, best),
			},
		)
	case known && replicas > 1 && int(needed) == replicas:
		all = append(
			all,
			problem{
				warning,
				fmt.Sprintf(
					"has min.insync.replicas=%d of %d replicas, so one broker that is away stops all writing",
					needed,
					replicas,
				),
				alter(t, minInsync, best),
			},
		)
	}
	if t.settings[uncleanElection] == "true" {
		all = append(
			all,
			problem{
				warning,
				"has unclean.leader.election.enable=true, so what was answered with 200 can be lost",
				alter(t, uncleanElection, "false"),
			},
		)
	}
	return all
}

// sizeProblems is about how much is kept, and how long.
func (c *Config) sizeProblems(t *topicState) (all []problem) {
	need, weight := int64(IngestRecordBytes), invalid
	if t.spec.settings[maxMessageBytes] != "" { // dead letters: only the largest need the room
		need, weight = DeadLetterRecordBytes, warning
	}
	if most, known := t.number(maxMessageBytes); known && most < need {
		all = append(
			all,
			problem{
				weight,
				fmt.Sprintf("has max.message.bytes=%d, but records of ours have up to %d", most, need),
				alter(t, maxMessageBytes, strconv.FormatInt(need, 10)),
			},
		)
	}
	want, _ := strconv.ParseInt(t.spec.settings[retentionMs], 10, 64)
	if kept, known := t.number(retentionMs); known && kept >= 0 && kept < want {
		all = append(
			all,
			problem{
				warning,
				fmt.Sprintf(
					"keeps messages for %s, less than the %s that are configured here",
					millis(kept),
					millis(want),
				),
				alter(t, retentionMs, strconv.FormatInt(want, 10)),
			},
		)
	}
	if most, known := t.number(retentionBytes); known && most >= 0 {
		all = append(
			all,
			problem{
				warning,
				fmt.Sprintf(
					"has retention.bytes=%d, so the brokers delete messages by size, whether they are loaded or not",
					most,
				),
				alter(t, retentionBytes, "-1"),
			},
		)
	}
	return all
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// alter is the command that changes a setting.
func alter(t *topicState, setting, value string) string {
	return fmt.Sprintf("kafka-configs.sh --alter --topic %s --add-config %s=%s", t.spec.name, setting, value)
}
