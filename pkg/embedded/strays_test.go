package embedded

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A member whose process ends while its join waits for the others is one that nobody has a timer for.
func TestWhoGoesWhileJoiningIsNoMemberForLong(t *testing.T) {
	const group, session = "group", time.Second
	b := startBroker(t, BrokerConfig{Options: []kfake.Opt{kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "1"})}})
	createTopic(t, dial(t, b.Addr()), 2, nil)
	staying := dial(t, b.Addr(), kgo.ConsumerGroup(group), kgo.ConsumeTopics("topic"), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond))
	go func() {
		for !staying.PollFetches(t.Context()).IsClientClosed() && t.Context().Err() == nil {
		}
	}()
	admin := kadm.NewClient(dial(t, b.Addr()))
	members := func() (n int) {
		described, err := admin.DescribeGroups(testContext(t), group)
		require.NoError(t, err)
		return len(described[group].Members)
	}
	require.Eventually(t, func() bool { return members() == 1 }, 10*time.Second, 20*time.Millisecond)

	const going = 8 // for each, it is even whether the broker has a timer
	var gone sync.WaitGroup
	for range going {
		client := dial(t, b.Addr())
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = group, "consumer", int32(session.Milliseconds()), 60_000
		protocol := kmsg.NewJoinGroupRequestProtocol()
		protocol.Name = kgo.CooperativeStickyBalancer().ProtocolName()
		protocol.Metadata = kgo.CooperativeStickyBalancer().JoinGroupMetadata([]string{"topic"}, nil, -1)
		join.Protocols = append(join.Protocols, protocol)
		first, err := join.RequestWith(testContext(t), client)
		require.NoError(t, err)
		require.ErrorIs(t, kerr.ErrorForCode(first.ErrorCode), kerr.MemberIDRequired)
		join.MemberID = first.MemberID
		gone.Go(func() {
			defer client.Close()
			ctx, cancel := context.WithTimeout(testContext(t), 100*time.Millisecond) // the one that stays has not sent a heartbeat by then
			defer cancel()
			_, _ = join.RequestWith(ctx, client)
		})
	}
	gone.Wait()

	require.Eventually(t, func() bool { return members() > 1 }, 5*time.Second, 20*time.Millisecond, "they were let in")
	require.Eventually(t, func() bool { return members() == 1 }, 10*time.Second, 20*time.Millisecond, "and sent away, long before a rebalance ends without it")
}
