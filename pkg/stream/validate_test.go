package stream

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/pkg/doctor"
	"github.com/millrace/millrace/test/env/doctortest"
)

// alterTopic gives a topic that exists another setting.
func alterTopic(t *testing.T, c *Client, topic, setting, value string) {
	t.Helper()
	answers, err := c.admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: setting, Value: &value}}, topic)
	require.NoError(t, err)
	for _, a := range answers {
		require.NoError(t, a.Err)
	}
	eventually(t, func() bool { s, err := c.settings(t.Context(), topic); return err == nil && s[setting] == value }, "nodes hear of it one after the other")
}

// spoilt are settings that a topic had better not have, and what is said of them.
var spoilt = []struct {
	of             func(Topics) string
	setting, value string
	refused        bool
	found, change  string
}{
	{func(t Topics) string { return t.Ingest }, cleanupPolicy, "compact", true, "has cleanup.policy=compact, which forgets messages", "--add-config cleanup.policy=delete"},
	{func(t Topics) string { return t.DeadLetters }, cleanupPolicy, "compact,delete", true, "has cleanup.policy=compact,delete, which forgets messages", "--add-config cleanup.policy=delete"},
	{func(t Topics) string { return t.Connections }, cleanupPolicy, "delete", true, "has cleanup.policy=delete, but a registry must have compact", "--add-config cleanup.policy=compact"},
	{func(t Topics) string { return t.Ingest }, maxMessageBytes, "500000", true, "has max.message.bytes=500000, but records of ours have up to 1000000", "--add-config max.message.bytes=1000000"},
	{func(t Topics) string { return t.Ingest }, minInsync, "4", false, "has min.insync.replicas=4 and ", "--add-config min.insync.replicas="},
	{func(t Topics) string { return t.DeadLetters }, maxMessageBytes, "1000000", false, "has max.message.bytes=1000000, but records of ours have up to 16777216", "--add-config max.message.bytes=16777216"},
	{func(t Topics) string { return t.Ingest }, retentionMs, "3600000", false, "keeps messages for 1h0m0s, less than the 168h0m0s that are configured here", "--add-config retention.ms=604800000"},
	{func(t Topics) string { return t.Ingest }, retentionBytes, "1073741824", false, "has retention.bytes=1073741824, so the brokers delete messages by size", "--add-config retention.bytes=-1"},
}

func TestTopicsThatBreakAPromiseAreRefusedAndOthersToldOf(t *testing.T) {
	_, c := started(t)
	for _, s := range spoilt {
		topic := s.of(c.Topics())
		before, err := c.settings(t.Context(), topic)
		require.NoError(t, err)
		if _, known := before[s.setting]; !known {
			before[s.setting] = "-1" // the brokers' default for retention.bytes
		}
		alterTopic(t, c, topic, s.setting, s.value)

		var told bytes.Buffer
		watched, err := NewClient(c.config, slog.New(slog.NewTextHandler(&told, nil)), prometheus.NewRegistry())
		require.NoError(t, err)
		defer watched.Close()
		err = watched.EnsureTopics(t.Context())
		status := doctor.Warn
		if s.refused {
			require.ErrorIs(t, err, errInvalidTopic)
			require.ErrorContains(t, err, topic+" "+s.found)
			require.ErrorContains(t, err, s.change)
			status = doctor.Fail
		} else {
			require.NoError(t, err)
			require.Contains(t, told.String(), s.found)
			require.Contains(t, told.String(), s.change)
		}
		doctortest.Require(t, examine(t, c), "topic "+topic, status, s.found, s.change)
		alterTopic(t, c, topic, s.setting, before[s.setting])
	}
	r := examine(t, c)
	require.Zero(t, r.Count(doctor.Fail), "the control: %v", r)
}

// examine is what the doctor finds, which comes anew: a client remembers for a while.
func examine(t *testing.T, c *Client) doctor.Report {
	t.Helper()
	var r doctor.Report
	clientFor(t, c.config).Diagnose(t.Context(), "millrace-loader", &r)
	return r
}

// What depends on several replicas is judged from what several brokers say of a topic.
func TestWhatAnAcknowledgementIsWorth(t *testing.T) {
	for want, is := range map[string]struct {
		replication        int16
		replicas           int
		minInsync, unclean string
	}{
		"": {3, 3, "2", "false"},
		"has 1 of the 3 replicas that --replication names":                                         {3, 1, "1", "false"},
		"has one replica, so the loss of a broker loses messages":                                  {-1, 1, "1", "false"},
		"has min.insync.replicas=1 of 3 replicas, so what was answered with 200 can be lost":       {3, 3, "1", "false"},
		"has min.insync.replicas=3 of 3 replicas, so one broker that is away stops all writing":    {3, 3, "3", "false"},
		"has unclean.leader.election.enable=true, so what was answered with 200 can be lost":       {3, 3, "2", "true"},
		"has min.insync.replicas=2 of 2 replicas, so one broker that is away stops all writing":    {2, 2, "2", "false"},
		"has min.insync.replicas=3 and 2 replicas, which some versions of Kafka take no writes to": {2, 2, "3", "false"},
	} {
		c := &Config{Replication: is.replication}
		spec := c.specs()[0]
		topic := topicState{
			spec: spec, exists: true, partitions: kadm.PartitionDetails{0: {Replicas: make([]int32, is.replicas)}},
			settings: map[string]string{cleanupPolicy: deleteByAge, minInsync: is.minInsync, uncleanElection: is.unclean},
		}
		var all []string
		for _, f := range c.problems(&topic) {
			all = append(all, f.found)
		}
		if want == "" {
			require.Empty(t, all)
			continue
		}
		require.Len(t, all, 1)
		require.Contains(t, all[0], want)
	}
}

func TestSettingsThatAreUnknownAreNotJudged(t *testing.T) {
	c := configFor(t, "127.0.0.1:1")
	require.Empty(t, c.problems(&topicState{spec: c.specs()[0], exists: true}), "a broker that has just heard of the topic")
	two := topicState{spec: c.specs()[0], partitions: kadm.PartitionDetails{0: {Replicas: []int32{1, 2}}}}
	require.Empty(t, c.problems(&two), "its settings may not be read")
}
