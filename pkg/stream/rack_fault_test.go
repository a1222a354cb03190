//go:build !apachekafka

package stream

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/test/env"
)

// Loaders may read from a replica that is near. Who follows the registry may not: replicas hear of changes late.
func TestOnlyLoadersReadFromTheNearestReplica(t *testing.T) {
	broker := env.Broker(t)
	config := configFor(t, broker.Addr())
	config.Access.Rack = "rack-2"
	c := clientFor(t, config)
	require.NoError(t, c.EnsureTopics(t.Context()))
	topics, err := kadm.NewClient(foreign(t, c)).ListTopics(t.Context()) // ours remembers for a while
	require.NoError(t, err)
	names := map[[16]byte]string{}
	for name, topic := range topics {
		names[topic.ID] = name
	}
	var mu sync.Mutex
	racks := map[string]string{}
	broker.Cluster().ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		broker.Cluster().KeepControl()
		mu.Lock()
		defer mu.Unlock()
		for _, topic := range r.(*kmsg.FetchRequest).Topics {
			racks[names[topic.TopicID]] = r.(*kmsg.FetchRequest).Rack
		}
		return nil, nil, false
	})
	produce(t, c, 1, 0)
	a := join(t, c, newLedger(t), "a")
	eventually(t, func() bool { return a.total() == 1 }, "the loader reads")
	works(t, config)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, "rack-2", racks[c.Topics().Ingest])
	rack, followed := racks[c.Topics().Connections]
	require.True(t, followed, "the control")
	require.Empty(t, rack)
}
