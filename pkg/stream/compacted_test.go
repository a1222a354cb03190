package stream

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// follower applies a log to a map.
type follower struct {
	*CompactedTopic
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
	f := &follower{CompactedTopic: clientFor(t, c.config).ConnectionsTopic(), values: map[string]string{}}
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
	log := c.ConnectionsTopic()
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
	require.Zero(t, c.ConnectionsTopic().CurrentAt())
	f := follow(t, c)
	f.becomesCurrent(t)
	require.Empty(t, f.applied)
}

// What makes a revocation safe: CurrentAt after the Append returned means that it has been applied.
func TestCurrentMeansApplied(t *testing.T) {
	_, c := started(t)
	f := follow(t, c)
	for i := range 20 {
		require.NoError(t, c.ConnectionsTopic().Append(t.Context(), "k", fmt.Append(nil, i)))
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

// stalls tells that CurrentAt moves no more, once what was under way is done.
func (f *follower) stalls(t *testing.T) {
	t.Helper()
	time.Sleep(2 * confirmEvery)
	at := f.CurrentAt()
	time.Sleep(4 * confirmEvery)
	require.Equal(t, at, f.CurrentAt())
}

func TestALogThatIsMadeAnewIsNotTakenForTheOldOne(t *testing.T) {
	_, c := started(t)
	for i := range 10 {
		require.NoError(t, c.ConnectionsTopic().Append(t.Context(), "k", fmt.Append(nil, i)))
	}
	f := follow(t, c)
	f.becomesCurrent(t)
	_, err := c.admin.DeleteTopic(t.Context(), c.Topics().Connections)
	require.NoError(t, err)
	_, err = c.admin.CreateTopic(t.Context(), 1, -1, nil, c.Topics().Connections)
	require.NoError(t, err)
	f.stalls(t)
}
