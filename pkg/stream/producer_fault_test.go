//go:build !apachekafka

package stream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The request's dead letter is stored and its event is not: the whole is not acknowledged.
func TestAPartialFailureIsNoAcknowledgement(t *testing.T) {
	broker, c := started(t)
	broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: c.Topics().Ingest, Err: kerr.InvalidRecord, Count: -1})
	p := producerOf(t, c, nil)
	var released atomic.Int32
	out := p.NewRequest(2, func() { released.Add(1) })
	out.AddMessage(KindEvent, &source, 0, []byte("{}"), nil)
	out.AddDeadLetter(&source, 0, []byte("{}"), nil, &DeadLetter{Reason: "reason"})
	err := out.Send(t.Context())
	require.ErrorIs(t, err, ErrNotAcknowledged)
	require.ErrorIs(t, err, kerr.InvalidRecord)
	require.Len(t, fetch(t, c, c.Topics().DeadLetters, 1), 1)
	eventually(t, func() bool { return released.Load() == 1 }, "released")
}

// held keeps the broker from answering produce requests until let go.
func held(broker interface{ Cluster() *kfake.Cluster }) (letGo func()) {
	gate := make(chan struct{})
	broker.Cluster().ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		broker.Cluster().KeepControl()
		broker.Cluster().SleepControl(func() { <-gate })
		return nil, nil, false
	})
	return sync.OnceFunc(func() { close(gate) })
}

func TestAcknowledgementsThatComeAfterTheTimeOut(t *testing.T) {
	broker, c := started(t)
	letGo := held(broker)
	defer letGo()
	p := producerOf(t, c, func(c *ProducerConfig) { c.ProduceTimeout = time.Second })
	var released atomic.Int32
	out := p.NewRequest(1, func() { released.Add(1) })
	out.AddMessage(KindEvent, &source, 0, []byte("{}"), nil)
	err := out.Send(t.Context())
	require.ErrorIs(t, err, ErrNotAcknowledged)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, released.Load(), "the record is under way, so its memory is in use")
	letGo()
	eventually(t, func() bool { return released.Load() == 1 }, "released")
	require.Len(t, fetch(t, c, c.Topics().Ingest, 1), 1, "it was stored all the same")
}

// Who cannot be told to stop is not kept waiting for room.
func TestNoRoomIsNoAcknowledgement(t *testing.T) {
	broker, c := started(t)
	letGo := held(broker)
	defer letGo()
	p := producerOf(t, c, func(c *ProducerConfig) { c.MaxProduceBufferBytes = 1 << 20 })
	var released atomic.Int32
	send := func(ctx context.Context) error {
		out := p.NewRequest(1, func() { released.Add(1) })
		out.AddMessage(KindEvent, &source, 0, make([]byte, 700<<10), nil)
		return out.Send(ctx)
	}
	first := make(chan error, 1)
	go func() { first <- send(context.Background()) }()
	eventually(t, func() bool { return p.kafka.BufferedProduceBytes() > 0 }, "the first is under way")
	err := send(context.Background())
	require.ErrorIs(t, err, ErrNotAcknowledged)
	require.ErrorIs(t, err, kgo.ErrMaxBuffered)
	require.EqualValues(t, 1, released.Load())
	second := make(chan error, 1)
	go func() { second <- send(t.Context()) }()
	letGo()
	require.NoError(t, <-first)
	require.NoError(t, <-second, "who can be told to stop waits for room")
}

func TestWhatCloseGivesUpIsReleased(t *testing.T) {
	broker, c := started(t)
	letGo := held(broker)
	defer letGo()
	p := producerOf(t, c, nil)
	var released atomic.Int32
	out := p.NewRequest(1, func() { released.Add(1) })
	out.AddMessage(KindEvent, &source, 0, []byte("{}"), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, out.Send(ctx), ErrNotAcknowledged)
	require.Error(t, p.Close(ctx))
	eventually(t, func() bool { return released.Load() == 1 }, "released")
}

// chaos answers some produce requests late and some with errors, until it is calmed.
func chaos(broker interface{ Cluster() *kfake.Cluster }) (calm func()) {
	cluster := broker.Cluster()
	var calmed atomic.Bool
	cluster.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if calmed.Load() {
			return nil, nil, false
		}
		cluster.KeepControl()
		switch rand.IntN(6) {
		case 0:
			cluster.SleepControl(func() { time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) })
		case 1:
			return nil, fmt.Errorf("cut"), true
		}
		return nil, nil, false
	})
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidRecord, Count: -1, When: func(kmsg.Request) bool { return !calmed.Load() && rand.IntN(8) == 0 }})
	return func() { calmed.Store(true) }
}

// Sets are recycled while late acknowledgements of others are under way. Each must be released once, its
// values must stay until then, and a set that says nil must be stored: a signal that a set in new hands
// gets from its past would make Send return too early.
func TestRecycledSetsAreNeverMixedUp(t *testing.T) {
	broker, c := started(t)
	calm := chaos(broker)
	p := producerOf(t, c, func(c *ProducerConfig) { c.ProduceTimeout = time.Second })
	const workers, rounds = 8, 60
	var begun, released, failed, early atomic.Int64
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for round := range rounds {
				values := make([][]byte, 1+rand.IntN(3))
				var once atomic.Bool
				out := p.NewRequest(len(values), func() {
					released.Add(1)
					if once.Swap(true) {
						panic("released twice")
					}
					for _, v := range values {
						clear(v) // -race shows a reader, the topic's content a late one
					}
				})
				begun.Add(1)
				for i := range values {
					values[i] = fmt.Appendf(nil, "%d-%d-%d", w, round, i)
					out.AddMessage(KindEvent, &Source{Product: fmt.Sprint(rand.IntN(9))}, 0, values[i], nil)
				}
				patience := time.Duration(1+rand.IntN(30)) * time.Millisecond
				if rand.IntN(4) == 0 { // however slow the machine, some wait long enough
					patience = time.Minute
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				if err := out.Send(ctx); err != nil {
					failed.Add(1)
					if ctx.Err() != nil {
						early.Add(1)
					}
				} else {
					mu.Lock()
					for i := range values {
						acknowledged[fmt.Sprintf("%d-%d-%d", w, round, i)] = true
					}
					mu.Unlock()
				}
				cancel()
			}
		})
	}
	wait.Wait()
	calm()
	// The client never gives up on what it has once sent and got no answer for; closing it settles that.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = p.Close(ctx)
	eventually(t, func() bool { return released.Load() == begun.Load() }, "all are released")
	require.NotZero(t, failed.Load())
	require.NotZero(t, early.Load(), "no time-out came before the acknowledgements")
	require.NotEmpty(t, acknowledged)
	stored := storedValues(t, c)
	for value := range acknowledged {
		require.True(t, stored[value], "%s was acknowledged and is not there", value)
	}
	for value := range stored {
		require.NotContains(t, value, "\x00", "memory was given back while it was still read")
	}
}

// storedValues reads the ingest topic to its present end.
func storedValues(t *testing.T, c *Client) map[string]bool {
	t.Helper()
	ends, err := c.admin.ListEndOffsets(t.Context(), c.Topics().Ingest)
	require.NoError(t, err)
	n := 0
	for _, end := range ends.Offsets()[c.Topics().Ingest] {
		n += int(end.At)
	}
	stored := map[string]bool{}
	for _, r := range fetch(t, c, c.Topics().Ingest, n) {
		stored[string(r.Value)] = true
	}
	return stored
}
