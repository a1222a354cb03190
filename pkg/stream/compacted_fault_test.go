//go:build !apachekafka

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
	require.NoError(t, c.ConnectionsTopic().Append(t.Context(), "k", []byte("v")))
	f.stalls(t)
	require.Empty(t, f.state())
	letGo()
	f.becomesCurrent(t)
	require.Equal(t, map[string]string{"k": "v"}, f.state())
}

// Without news, fetches that hang are what an idle topic looks like: the end says that nothing is missing.
func TestAnIdleLogStaysCurrent(t *testing.T) {
	broker, c := started(t)
	require.NoError(t, c.ConnectionsTopic().Append(t.Context(), "k", []byte("v")))
	f := follow(t, c)
	f.becomesCurrent(t)
	letGo := unanswered(broker, kmsg.Fetch)
	defer letGo()
	f.becomesCurrent(t)
}

func TestAppendSaysWhatFailed(t *testing.T) {
	broker, c := started(t)
	broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Count: -1})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.ErrorContains(t, c.ConnectionsTopic().Append(ctx, "k", nil), "write to topic millrace.connections")
}

func TestFollowSurvivesTheCompactionOfWhatItReads(t *testing.T) {
	broker, c := started(t)
	for i := range 50 {
		require.NoError(t, c.ConnectionsTopic().Append(t.Context(), fmt.Sprint(i%2), fmt.Append(nil, i)))
	}
	broker.Cluster().Compact()
	f := follow(t, c)
	f.becomesCurrent(t)
	require.Equal(t, map[string]string{"0": "48", "1": "49"}, f.state())
}
