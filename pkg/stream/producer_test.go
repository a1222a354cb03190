package stream

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestSendReturnsWhenAllIsAcknowledged(t *testing.T) {
	_, c := started(t)
	p := producerOf(t, c, nil)
	var released atomic.Int32
	out := p.NewRequest(100, func() { released.Add(1) })
	for i := range 100 {
		out.AddMessage(KindEvent, &Source{Product: fmt.Sprint(i)}, int64(i), []byte("{}"), nil)
	}
	require.NoError(t, out.Send(t.Context()))
	eventually(t, func() bool { return released.Load() == 1 }, "released")
	require.Len(t, fetch(t, c, c.Topics().Ingest, 100), 100)
}

func TestAnEmptySetIsSentAtOnce(t *testing.T) {
	_, c := started(t)
	p := producerOf(t, c, nil)
	released := 0
	require.NoError(t, p.NewRequest(0, func() { released++ }).Send(t.Context()))
	discarded := p.NewRequest(1, func() { released++ })
	discarded.AddMessage(KindEvent, &source, 0, []byte("{}"), nil)
	discarded.Discard()
	require.Equal(t, 2, released)
}

func TestMoreThanBeginWasToldOfIsABug(t *testing.T) {
	_, c := started(t)
	out := producerOf(t, c, nil).NewRequest(0, nil)
	require.PanicsWithValue(t, "BUG: more records than Begin was told of", func() { out.AddMessage(KindEvent, &source, 0, nil, nil) })
}

func TestDeadLettersAsLargeAsABody(t *testing.T) {
	for _, compression := range []string{"none", "lz4"} {
		_, c := started(t)
		p := producerOf(t, c, func(c *ProducerConfig) { c.Compression = compression })
		value := bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)
		out := p.NewRequest(2, nil)
		out.AddDeadLetter(&source, 0, value, nil, &DeadLetter{Reason: "message_too_large"})
		out.AddDeadLetter(&source, 0, value, nil, &DeadLetter{Reason: "message_too_large"})
		require.NoError(t, out.Send(t.Context()))
		for _, r := range fetch(t, c, c.Topics().DeadLetters, 2) {
			require.True(t, bytes.Equal(value, r.Value))
		}
	}
}

func TestAnEventThatTheBrokersWouldRefuseIsNotSent(t *testing.T) {
	_, c := started(t)
	out := producerOf(t, c, nil).NewRequest(1, nil)
	out.AddMessage(KindEvent, &source, 0, make([]byte, IngestRecordBytes), nil)
	err := out.Send(t.Context())
	require.ErrorIs(t, err, ErrNotAcknowledged)
	require.ErrorIs(t, err, kerr.MessageTooLarge)
}

func TestProducerConfigIsChecked(t *testing.T) {
	_, c := started(t)
	for want, config := range map[string]ProducerConfig{
		"--linger":                   {Linger: -1},
		"--produce-timeout":          {ProduceTimeout: time.Millisecond},
		"--max-produce-buffer-bytes": {ProduceTimeout: time.Second},
	} {
		_, err := c.NewProducer("test", config)
		require.ErrorContains(t, err, want)
	}
}

func TestFillingASetAllocatesNothing(t *testing.T) {
	_, c := started(t)
	p := producerOf(t, c, nil)
	value, released := []byte("{}"), func() {}
	fill := func() {
		out := p.NewRequest(100, released)
		for i := range 50 {
			out.AddMessage(KindEvent, &source, int64(i), value, value)
			out.SetSalt(uint32(i), 8)
			out.AddDeadLetter(&source, int64(i), value, value, &DeadLetter{KindEvent, "reason", "detail", "origin", "copy", "salt"})
		}
		out.Discard()
	}
	fill()
	// The pool may lose a set to the garbage collector, which is a handful for a hundred messages.
	require.Less(t, testing.AllocsPerRun(100, fill), 5.0)
}

func BenchmarkSend(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d records", n), func(b *testing.B) {
			_, c := started(b)
			p := producerOf(b, c, func(c *ProducerConfig) { c.Linger = 0 })
			value := bytes.Repeat([]byte("x"), 750)
			b.ReportAllocs()
			b.SetBytes(int64(n * len(value)))
			for b.Loop() {
				out := p.NewRequest(n, nil)
				for i := range n {
					out.AddMessage(KindEvent, &source, int64(i), value, nil)
				}
				if err := out.Send(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
