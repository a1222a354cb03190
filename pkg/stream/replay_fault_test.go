//go:build !apachekafka

package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Brokers in trouble are waited for, and what they may have taken is written again.
func TestAReplayOutlastsTrouble(t *testing.T) {
	broker, c := started(t)
	send(t, producerOf(t, c, nil), func(o *Request) {
		for range 10 {
			o.AddMessage(KindEvent, &source, 1, []byte("{}"), nil)
		}
	})
	fault := broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: c.Topics().Ingest, Err: kerr.InvalidRecord, Count: 3})
	require.Equal(t, int64(10), replay(t, c, ReplayConfig{}, everything(t, c)).Verdicts[Selected])
	require.Equal(t, 3, fault.Hits(), "the control: it was refused")
	require.Len(t, fetch(t, c, c.Topics().Ingest, 20), 20)
}

// What no waiting mends ends it at once, with nothing counted that is not written.
func TestAReplayOfWhatTheBrokersRefuseEnds(t *testing.T) {
	broker, c := started(t)
	send(t, producerOf(t, c, nil), func(o *Request) { o.AddMessage(KindEvent, &source, 1, []byte("{}"), nil) })
	broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: c.Topics().Ingest, Err: kerr.MessageTooLarge, Count: -1})
	spans := everything(t, c)
	r, err := c.NewReplay(ReplayConfig{}, spans)
	require.NoError(t, err)
	defer r.Close()
	require.ErrorIs(t, r.Run(t.Context()), kerr.MessageTooLarge)
	require.Equal(t, []Position{{spans[0].Partition, 0}}, r.Remaining())
	require.Zero(t, r.Progress().Read)
	require.Empty(t, r.Progress().ByGroup)
}
