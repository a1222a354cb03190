package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/doctor"
	"github.com/millrace/millrace/test/env"
	"github.com/millrace/millrace/test/env/doctortest"
)

func TestACheckUpOfBrokersThatAreWell(t *testing.T) {
	b := env.SecuredBroker(t)
	c := clientFor(t, securedConfig(t, b, "SCRAM-SHA-512"))
	r := examine(t, c)
	doctortest.Require(t, r, "kafka brokers", doctor.OK, " answer (", "")
	doctortest.Require(t, r, "kafka access", doctor.OK, "with TLS 1.3, logged in with SCRAM-SHA-512 as millrace", "")
	doctortest.Require(t, r, "topic millrace.ingest", doctor.Warn, "there is none", "start an edge or a loader")
	require.NoError(t, c.EnsureTopics(t.Context()))
	l := newLedger(t)
	a := join(t, c, l, "a")
	eventually(t, func() bool { return l.owned("a") == 4 }, "assigned")
	eventually(t, func() bool { r = examine(t, c); return r.Has("group millrace-loader") }, "nodes hear of topics one after the other")
	require.Zero(t, r.Count(doctor.Fail), r)
	doctortest.Require(t, r, "group millrace-loader", doctor.OK, "1 loader, and no message waits", "")
	doctortest.Require(t, r, "edge clocks", doctor.OK, "no message", "")
	a.stop()
}

func TestACheckUpOfBrokersThatAreNot(t *testing.T) {
	doctortest.Require(t, examine(t, clientFor(t, configFor(t, "127.0.0.1:1"))), "kafka brokers", doctor.Fail, "none of 127.0.0.1:1 answers", "check --brokers")
	config := securedConfig(t, env.SecuredBroker(t), "PLAIN")
	config.Access.TLS.CA = env.Authority(t).File
	doctortest.Require(t, examine(t, clientFor(t, config)), "kafka brokers", doctor.Fail, "none of", "--kafka-tls-ca")

	_, c := started(t)
	c.config.Replication = 9
	doctortest.Require(t, examine(t, c), "kafka brokers", doctor.Fail, "--replication is 9, and there are", "lower --replication")
}

func TestACheckUpOfLoadersThatAreNotThere(t *testing.T) {
	_, c := started(t)
	produce(t, c, 10, 0)
	admin := kadm.NewClient(foreign(t, c))
	commit := func(at int64) {
		t.Helper()
		require.NoError(t, admin.CommitAllOffsets(t.Context(), "millrace-loader", kadm.OffsetsFromFetches(fetchesAt(c.Topics().Ingest, at))))
	}
	commit(4)
	doctortest.Require(t, examine(t, c), "group millrace-loader", doctor.Warn, "has no loader, and 6 messages not loaded yet", "start a loader")
	deleted, err := admin.DeleteRecords(t.Context(), kadm.Offsets{c.Topics().Ingest: {0: {Topic: c.Topics().Ingest, At: 9}}})
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
	doctortest.Require(t, examine(t, c), "group millrace-loader", doctor.Fail, "deleted 5 messages that no loader had loaded", "retention.ms")
}

func fetchesAt(topic string, at int64) kgo.Fetches {
	return kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: topic, Partitions: []kgo.FetchPartition{{Records: []*kgo.Record{{Topic: topic, Offset: at - 1}}}}}}}}
}

func TestAClockThatIsAheadIsNoticed(t *testing.T) {
	_, c := started(t)
	kafka := foreign(t, c)
	for _, ahead := range []time.Duration{-time.Hour, time.Hour} {
		record := &kgo.Record{Topic: c.Topics().Ingest, Value: []byte("v"), Timestamp: time.Now().Add(ahead)}
		require.NoError(t, kafka.ProduceSync(t.Context(), record).FirstErr())
		status := doctor.OK
		if ahead > 0 {
			status = doctor.Warn
		}
		doctortest.Require(t, examine(t, c), "edge clocks", status, "", "")
	}
}
