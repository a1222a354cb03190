package stream

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/embedded"
)

// follower applies a log to a map.
type follower struct {
	*Log
	mu      sync.Mutex
	values  map[string]string
	applied []string
}

func (f *follower) apply(key string, value []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied = append(f.applied, key+"="+string(value))
	if value == nil {
		delete(f.values, key)
		return
	}
	f.values[key] = string(value)
}

func (f *follower) state() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	copied := map[string]string{}
	for k, v := range f.values {
		copied[k] = v
	}
	return copied
}

func follow(t *testing.T, c *Client) *follower {
	t.Helper()
	f := &follower{Log: clientFor(t, c.config).ConnectionsLog(), values: map[string]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Follow(ctx, f.apply) }()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
	return f
}

// becomesCurrent waits until everything written before now is confirmed to be applied.
func (f *follower) becomesCurrent(t *testing.T) {
	t.Helper()
	now := time.Now()
	eventually(t, func() bool { return f.CurrentAt().After(now) }, "current")
}

func TestFollowAppliesInOrder(t *testing.T) {
	_, c := started(t)
	log := c.ConnectionsLog()
	var want []string
	for i := range 100 {
		require.NoError(t, log.Append(t.Context(), fmt.Sprint(i%7), fmt.Append(nil, i)))
		want = append(want, fmt.Sprintf("%d=%d", i%7, i))
	}
	f := follow(t, c)
	f.becomesCurrent(t)
	require.Equal(t, want, f.applied)
	require.NoError(t, log.Append(t.Context(), "0", nil))
	require.NoError(t, log.Append(t.Context(), "1", []byte{}))
	f.becomesCurrent(t)
	require.NotContains(t, f.state(), "0", "nil deletes")
	require.Contains(t, f.state(), "1", "an empty value is a value")
}

func TestAnEmptyLogIsCurrent(t *testing.T) {
	_, c := started(t)
	require.Zero(t, c.ConnectionsLog().CurrentAt())
	f := follow(t, c)
	f.becomesCurrent(t)
	require.Empty(t, f.applied)
}

// What makes a revocation safe: CurrentAt after the Append returned means that it has been applied.
func TestCurrentMeansApplied(t *testing.T) {
	_, c := started(t)
	f := follow(t, c)
	for i := range 20 {
		require.NoError(t, c.ConnectionsLog().Append(t.Context(), "k", fmt.Append(nil, i)))
		appended, last := time.Now(), time.Time{}
		for !f.CurrentAt().After(appended) {
			require.False(t, f.CurrentAt().Before(last), "it never goes back")
			last = f.CurrentAt()
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, fmt.Sprint(i), f.state()["k"])
	}
}

func TestCurrentAtHasAMonotonicReading(t *testing.T) {
	_, c := started(t)
	f := follow(t, c)
	f.becomesCurrent(t)
	require.Contains(t, f.CurrentAt().String(), " m=", "a wall clock that is set must not make it fresh or stale")
}

// unanswered keeps the broker from answering requests of a kind until let go.
func unanswered(broker *embedded.Broker, key kmsg.Key) (letGo func()) {
	gate := make(chan struct{})
	broker.Cluster().ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
		broker.Cluster().KeepControl()
		broker.Cluster().SleepControl(func() { <-gate })
		return nil, nil, false
	})
	return sync.OnceFunc(func() { close(gate) })
}

// stalls tells that CurrentAt moves no more, once what was under way is done.
func (f *follower) stalls(t *testing.T) {
	t.Helper()
	time.Sleep(2 * confirmEvery)
	at := f.CurrentAt()
	time.Sleep(4 * confirmEvery)
	require.Equal(t, at, f.CurrentAt())
}

func TestCurrentAtStallsWhileTheEndIsUnknown(t *testing.T) {
	broker, c := started(t)
	f := follow(t, c)
	f.becomesCurrent(t)
	letGo := unanswered(broker, kmsg.ListOffsets)
	defer letGo()
	f.stalls(t)
	letGo()
	f.becomesCurrent(t)
}

func TestCurrentAtStallsWhileWhatWasWrittenIsNotRead(t *testing.T) {
	broker, c := started(t)
	f := follow(t, c)
	f.becomesCurrent(t)
	letGo := unanswered(broker, kmsg.Fetch)
	defer letGo()
	require.NoError(t, c.ConnectionsLog().Append(t.Context(), "k", []byte("v")))
	f.stalls(t)
	require.Empty(t, f.state())
	letGo()
	f.becomesCurrent(t)
	require.Equal(t, map[string]string{"k": "v"}, f.state())
}

// Without news, fetches that hang are what an idle topic looks like: the end says that nothing is missing.
func TestAnIdleLogStaysCurrent(t *testing.T) {
	broker, c := started(t)
	require.NoError(t, c.ConnectionsLog().Append(t.Context(), "k", []byte("v")))
	f := follow(t, c)
	f.becomesCurrent(t)
	letGo := unanswered(broker, kmsg.Fetch)
	defer letGo()
	f.becomesCurrent(t)
}

func TestALogThatIsMadeAnewIsNotTakenForTheOldOne(t *testing.T) {
	broker, c := started(t)
	for i := range 10 {
		require.NoError(t, c.ConnectionsLog().Append(t.Context(), "k", fmt.Append(nil, i)))
	}
	f := follow(t, c)
	f.becomesCurrent(t)
	require.NoError(t, broker.Cluster().DeleteTopic(c.Topics().Connections))
	require.NoError(t, broker.Cluster().CreateTopic(c.Topics().Connections, 1, nil))
	f.stalls(t)
}

func TestAppendSaysWhatFailed(t *testing.T) {
	broker, c := started(t)
	broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Count: -1})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.ErrorContains(t, c.ConnectionsLog().Append(ctx, "k", nil), "write to topic millrace.connections")
}

func TestFollowSurvivesTheCompactionOfWhatItReads(t *testing.T) {
	broker, c := started(t)
	for i := range 50 {
		require.NoError(t, c.ConnectionsLog().Append(t.Context(), fmt.Sprint(i%2), fmt.Append(nil, i)))
	}
	broker.Cluster().Compact()
	f := follow(t, c)
	f.becomesCurrent(t)
	require.Equal(t, map[string]string{"0": "48", "1": "49"}, f.state())
}
