//go:build !apachekafka

package stream

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestACommitThatHangsHoldsUpNobodyWhoGivesUp(t *testing.T) {
	broker, c := started(t)
	l := newLedger(t)
	a := join(t, c, l, "a")
	eventually(t, func() bool { return l.owned("a") == 4 }, "assigned")
	gate := make(chan struct{})
	defer close(gate)
	asked := make(chan struct{}, 100)
	broker.Cluster().ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		broker.Cluster().KeepControl()
		asked <- struct{}{}
		broker.Cluster().SleepControl(func() { <-gate })
		return nil, nil, false
	})
	ctx, cancel := context.WithCancel(t.Context())
	hung := make(chan error, 1)
	go func() { hung <- a.Commit(ctx, Partition{c.Topics().Ingest, 0}, 0) }()
	<-asked
	impatient, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	require.ErrorIs(t, a.Commit(impatient, Partition{c.Topics().Ingest, 1}, 0), context.DeadlineExceeded)
	require.Empty(t, hung, "the control: the first still hangs")
	cancel()
	require.ErrorIs(t, <-hung, context.Canceled)
}

func TestPollGoesOnAfterErrors(t *testing.T) {
	broker, c := started(t)
	l := newLedger(t)
	a := join(t, c, l, "a")
	eventually(t, func() bool { return l.owned("a") == 4 }, "assigned")
	fault := broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: c.Topics().Ingest, Partitions: []int32{0}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	produce(t, c, 5, 0, 1)
	eventually(t, func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.pollErr != nil }, "the error is told")
	require.ErrorIs(t, a.pollErr, kerr.TopicAuthorizationFailed)
	require.ErrorContains(t, a.pollErr, "fetch millrace.ingest/0")
	eventually(t, func() bool { return a.count(Partition{c.Topics().Ingest, 1}) == 5 }, "other partitions are read")
	fault.Remove()
	eventually(t, func() bool { return a.count(Partition{c.Topics().Ingest, 0}) == 5 }, "and this one afterwards")
}

func TestPollTellsWhyTheGroupCannotBeJoined(t *testing.T) {
	broker, c := started(t)
	fault := broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.GroupAuthorizationFailed, Count: -1})
	l := newLedger(t)
	a := join(t, c, l, "a")
	eventually(t, func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.pollErr != nil }, "the error is told")
	require.ErrorIs(t, a.pollErr, kerr.GroupAuthorizationFailed)
	require.NotContains(t, a.pollErr.Error(), "fetch")
	fault.Remove()
	eventually(t, func() bool { return l.owned("a") == 4 }, "assigned")
}
