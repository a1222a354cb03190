//go:build !apachekafka

package stream

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/embedded"
)

// rightsTo lets a user do things with our topics, and read as our group.
func rightsTo(user string, group bool, topics map[string][]kmsg.ACLOperation) kfake.Opt {
	allow := func(kind kmsg.ACLResourceType, name string, does kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: does, Allow: true}
	}
	var all []kfake.ACL
	if group {
		all = append(all, allow(kmsg.ACLResourceTypeGroup, "millrace-loader", kmsg.ACLOperationRead))
	}
	for _, topic := range []string{"ingest", "dead-letters", "connections"} {
		all = append(all, allow(kmsg.ACLResourceTypeTopic, "millrace."+topic, kmsg.ACLOperationDescribe), allow(kmsg.ACLResourceTypeTopic, "millrace."+topic, kmsg.ACLOperationDescribeConfigs))
		for _, does := range topics[topic] {
			all = append(all, allow(kmsg.ACLResourceTypeTopic, "millrace."+topic, does))
		}
	}
	return kfake.User("PLAIN", user, "secret", all...)
}

// The rights of docs/security.md are enough, and each program can do without the other's.
func TestTheRightsInTheDocsAreEnough(t *testing.T) {
	const read, write = kmsg.ACLOperationRead, kmsg.ACLOperationWrite
	broker, err := embedded.StartBroker(embedded.BrokerConfig{Options: []kfake.Opt{
		kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "secret"),
		rightsTo("edge", false, map[string][]kmsg.ACLOperation{"ingest": {write}, "dead-letters": {write}, "connections": {read, write}}),
		rightsTo("loader", true, map[string][]kmsg.ACLOperation{"ingest": {read}, "dead-letters": {read, write}}),
		rightsTo("replay", false, map[string][]kmsg.ACLOperation{"ingest": {read, write}, "dead-letters": {read}}),
	}})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	as := func(user string) *Client {
		config := configFor(t, broker.Addr())
		config.Access.SASL, config.Access.User, config.Access.Password.Password = "PLAIN", user, "secret"
		return clientFor(t, config)
	}
	require.NoError(t, as("admin").EnsureTopics(t.Context()))
	ended, cancel := context.WithCancel(t.Context())
	defer cancel()

	edge := as("edge")
	require.NoError(t, edge.EnsureTopics(t.Context()))
	require.NoError(t, edge.ConnectionsTopic().Append(t.Context(), "key", []byte("value")))
	require.ErrorIs(t, edge.ConnectionsTopic().Follow(ended, func(string, []byte) { cancel() }), context.Canceled)
	out := producerOf(t, edge, nil).NewRequest(2, nil)
	out.AddMessage(KindEvent, &source, 0, []byte("{}"), nil)
	out.AddDeadLetter(&source, 0, []byte("{}"), nil, &DeadLetter{Reason: "r"})
	require.NoError(t, out.Send(t.Context()))

	loader := as("loader")
	require.NoError(t, loader.EnsureTopics(t.Context()))
	m := join(t, loader, newLedger(t), "loader")
	eventually(t, func() bool { return m.total() == 1 }, "the loader reads")

	var told bytes.Buffer
	poor, err := NewClient(edge.config, slog.New(slog.NewTextHandler(&told, nil)), prometheus.NewRegistry())
	require.NoError(t, err)
	defer poor.Close()
	require.NoError(t, poor.EnsureTopics(t.Context()))
	require.NotContains(t, told.String(), "cannot be checked", "its settings may be described")
	require.ErrorContains(t, as("loader").ConnectionsTopic().Append(t.Context(), "key", nil), "AUTHORIZATION", "the control: it has no more rights than that")
	spans, err := as("replay").OffsetRanges(t.Context(), &ReplayRange{Topics: []string{edge.Topics().Ingest, edge.Topics().DeadLetters}})
	require.NoError(t, err)
	r, err := as("replay").NewReplay(ReplayConfig{}, spans)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Run(t.Context()))
	eventually(t, func() bool { return m.total() == 3 }, "and reads what is replayed: the event and the dead letter")
}
