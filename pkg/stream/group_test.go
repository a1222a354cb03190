package stream

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// deadMember joins the group as a loader that is killed at that moment does: it is a member, and is never heard of
// again. The brokers wait for it for as long as session.
func deadMember(t *testing.T, c *Client, session time.Duration) {
	t.Helper()
	kafka := foreign(t, c)
	request := kmsg.NewPtrJoinGroupRequest()
	request.Group, request.ProtocolType = "millrace-loader", "consumer"
	request.SessionTimeoutMillis = int32(session.Milliseconds())
	request.RebalanceTimeoutMillis = request.SessionTimeoutMillis
	balancer := kgo.CooperativeStickyBalancer()
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = balancer.ProtocolName(), balancer.JoinGroupMetadata([]string{c.Topics().Ingest}, nil, -1)
	request.Protocols = append(request.Protocols, protocol)
	first, err := request.RequestWith(t.Context(), kafka)
	require.NoError(t, err)
	request.MemberID = first.MemberID
	second, err := request.RequestWith(t.Context(), kafka)
	require.NoError(t, err)
	require.Zero(t, second.ErrorCode)
}

func stateOf(t *testing.T, c *Client) string {
	t.Helper()
	groups, err := kadm.NewClient(foreign(t, c)).DescribeGroups(t.Context(), "millrace-loader")
	require.NoError(t, err)
	return groups["millrace-loader"].State
}

// While the group waits for a member that is dead, those that live go on with what they have.
func TestCommitsGoOnWhileTheGroupWaits(t *testing.T) {
	_, c := started(t)
	l := newLedger(t)
	produce(t, c, 10, 0, 1, 2, 3)
	a := join(t, c, l, "a")
	eventually(t, func() bool { return a.total() == 40 }, "all is read")
	deadMember(t, c, time.Minute)
	eventually(t, func() bool { return l.owned("a") < 4 && stateOf(t, c) == "PreparingRebalance" }, "it has given up the dead one's share, and waits")

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	kept := 0
	for id := range int32(4) {
		p := Partition{c.Topics().Ingest, id}
		l.mu.Lock()
		mine := l.owners[p] == "a"
		l.mu.Unlock()
		if !mine {
			require.ErrorIs(t, a.Commit(t.Context(), p, 9), ErrFenced)
			continue
		}
		kept++
		require.NoError(t, a.Prepare(t.Context(), p, 3, 7))
		require.NoError(t, a.Commit(t.Context(), p, 7))
		require.Equal(t, int64(7), committed(t, c, p))
		a.kafka.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{p.Topic: {p.ID: {Epoch: -1, Offset: 8}}},
			func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
				require.ErrorIs(t, commitError(answer, err), context.DeadlineExceeded, "the control: the Kafka client waits")
			})
	}
	require.Positive(t, kept)
	require.Equal(t, "PreparingRebalance", stateOf(t, c), "the control: it still waits")

	bounded, stop := context.WithCancel(t.Context())
	stop() // before a group that lets nobody go
	a.halt()
	a.Close(bounded)
	require.Zero(t, l.owned("a"))
}

func named(name string) func(*ConsumerConfig) {
	return func(c *ConsumerConfig) { c.InstanceID = name }
}

func TestAMemberWithANameFindsWhatItHad(t *testing.T) {
	_, c := started(t)
	l := newLedger(t)
	b := join(t, c, l, "b")
	eventually(t, func() bool { return l.owned("b") == 4 }, "assigned")
	a := join(t, c, l, "a", named("first"))
	shared := func() bool { return l.owned("a") == 2 && l.owned("b") == 2 && stateOf(t, c) == "Stable" }
	eventually(t, shared, "the two share")
	a.stop()
	require.Zero(t, l.owned("a"))
	_, before := b.kafka.GroupMetadata()
	a = join(t, c, l, "a", named("first"))
	produce(t, c, 5, 0, 1, 2, 3)
	eventually(t, func() bool { return l.owned("a") == 2 && a.total()+b.total() == 20 }, "it has them again")
	require.Equal(t, 10, b.total(), "and nobody else had them")
	eventually(t, func() bool { _, now := b.kafka.GroupMetadata(); return now > before }, "partitions are shared out anew for all that")
	eventually(t, shared, "with the same result")
}

func TestANameHasOneMember(t *testing.T) {
	_, c := started(t)
	first, second := newLedger(t), newLedger(t)
	a := join(t, c, first, "a", named("same"))
	eventually(t, func() bool { return first.owned("a") == 4 }, "assigned")
	b := join(t, c, second, "b", named("same"))
	eventually(t, func() bool { return second.owned("b") == 4 }, "the second has what the first had")
	p := Partition{c.Topics().Ingest, 0}
	require.ErrorIs(t, a.Commit(t.Context(), p, 0), ErrFenced)
	require.NoError(t, b.Commit(t.Context(), p, 0))
	eventually(t, func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.pollErr != nil }, "the first is told")
	require.ErrorIs(t, a.pollErr, ErrInstanceIDTaken)
}
