package loader

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
)

func entriesOf(n int) []stream.Record {
	entries := make([]stream.Record, n)
	for i := range entries {
		entries[i] = stream.Record{Kind: []byte("event"), Provider: []byte("segment"), Product: []byte("p"), Value: realistic(i), Offset: int64(i), ReceivedAt: 1}
	}
	return entries
}

var partition = stream.Partition{Topic: "t", ID: 3}

func eventsChunk() *insertBatch {
	return &insertBatch{rowBuilder: newEventBuilder(partition, func(mapping.Overrides) {})}
}

func TestAChunkIsARangeOfOffsets(t *testing.T) {
	c := eventsChunk()
	require.True(t, c.empty())
	entries := entriesOf(3)
	entries[0].Offset, entries[1].Offset, entries[2].Offset = 10, 11, 15 // compaction and markers leave gaps
	entries[0].ReceivedAt, entries[1].Value = 77, []byte("broken")
	for i := range entries {
		c.add(&entries[i], 100)
	}
	require.False(t, c.empty())
	require.Equal(t, int64(10), c.firstOffset)
	require.Equal(t, int64(16), c.nextOffset)
	require.Equal(t, int64(300), c.bytes)
	require.Equal(t, int64(77), c.oldestReceivedAt)
	require.Equal(t, 3, c.records)
	require.Equal(t, 2, c.block().Rows())
	require.Len(t, c.deadLetters, 1)
	require.Equal(t, "broken", string(c.deadLetters[0].value))
	require.Equal(t, int64(11), c.deadLetters[0].offset)
	c.clear()
	require.True(t, c.empty())
	require.Zero(t, c.bytes)
	require.Zero(t, c.block().Rows())
	require.Empty(t, c.deadLetters)
}

func TestAChunkOfNothingButDeadLettersFillsUp(t *testing.T) {
	c := eventsChunk()
	config := Config{BlockRows: 2, BlockBytes: 1 << 20}
	for range 2 {
		require.False(t, c.full(&config))
		c.add(&stream.Record{}, 1)
	}
	require.True(t, c.full(&config))
	require.Zero(t, c.block().Rows())
}

func TestADeadLetterOutlivesTheNextEntry(t *testing.T) {
	c := eventsChunk()
	entries := entriesOf(1)
	e := stream.Record{Workspace: []byte("w"), Product: []byte("p"), Connection: []byte("c"), Provider: []byte("x"), Kind: []byte("k"), Value: []byte("v"), Context: []byte("ctx"), ReceivedAt: 5, Offset: 6, ReplayOf: []byte("t/0/1")}
	c.add(&e, 1)
	e = entries[0]
	c.add(&e, 1)
	require.Equal(t, []deadLetter{{
		source:     stream.Source{Workspace: "w", Product: "p", Connection: "c", Provider: "x"},
		receivedAt: 5, value: []byte("v"), context: []byte("ctx"), reason: "unknown_kind",
		detail: `kind "k" of provider "x" is not known to this loader`, offset: 6, originalKind: "k", replayOf: "t/0/1",
	}}, c.deadLetters)
}

func TestFillingAChunkAllocatesNothingPerMessage(t *testing.T) {
	c := eventsChunk()
	entries := entriesOf(10_000)
	fill := func() {
		for i := range entries {
			c.add(&entries[i], 1)
		}
		c.clear()
	}
	fill()
	require.Empty(t, c.deadLetters)
	// The block learns its few dictionary values anew each time, and under the race detector the pool forgets
	// some blocks, each some hundred allocations: per chunk, not per message.
	require.Less(t, testing.AllocsPerRun(10, fill), 1000.0)
}

func TestBudget(t *testing.T) {
	b := newMemoryLimit(100)
	var pressed atomic.Int32
	press := func() { pressed.Add(1) }
	b.wait(t.Context(), press)
	b.reserve(99)
	b.wait(t.Context(), press)
	require.Zero(t, pressed.Load(), "it did not have to wait")
	b.reserve(50)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	b.wait(ctx, press)
	require.Error(t, ctx.Err(), "it waited to the end")
	require.Positive(t, pressed.Load(), "and pressed")
	waited := make(chan struct{})
	go func() { defer close(waited); b.wait(t.Context(), press) }()
	b.release(1)
	b.release(1)
	select {
	case <-waited:
		t.Fatal("147 of 100 are held")
	case <-time.After(10 * time.Millisecond):
	}
	b.release(100)
	<-waited
}

// The fullest lanes are pressed, and no more of them than are inserted at once.
func TestThoseWithMostHandOver(t *testing.T) {
	s := &Service{workers: map[stream.Partition]*partitionWorker{}}
	s.config.Warehouse.Inserts = 3
	for id, filled := range []int64{0, 50, 10, 40, 30} {
		l := &partitionWorker{flushRequested: make(chan struct{}, 1)}
		l.flushableBytes.Store(filled)
		s.workers[stream.Partition{ID: int32(id)}] = l
	}
	pressed := func() (ids []int32) {
		for p, l := range s.workers {
			if len(l.flushRequested) > 0 {
				ids = append(ids, p.ID)
			}
		}
		slices.Sort(ids)
		return ids
	}
	s.workers[stream.Partition{ID: 3}].sending.Store(true) // it is sending already
	s.flushFullest()
	require.Equal(t, []int32{1, 4}, pressed())
	s.flushFullest()
	require.Equal(t, []int32{1, 4}, pressed(), "they have yet to send")
	for _, l := range s.workers {
		l.sending.Store(false)
		l.flushableBytes.Store(0)
	}
	s.flushFullest()
	require.Equal(t, []int32{1, 4}, pressed(), "there is nothing to hand over")
}

// The kinds and the providers are those of the records that the edge writes, and the reason is the mapping's.
func TestEventBuilder_Append_MapsByKindAndProvider(t *testing.T) {
	const raw = `{"type":"track","event":"E","eventType":"E","externalUserId":"u","externalConversationId":"c"}`
	for _, row := range []struct {
		kind                     stream.Kind
		provider, reason         string
		rows, identifyOrActivity int
	}{
		{stream.KindEvent, stream.ProviderSegment, "", 1, 0},
		{stream.KindEvent, stream.ProviderAPI, "", 1, 0},
		{stream.KindIdentify, stream.ProviderAPI, "", 0, 1},
		{stream.KindConversation, stream.ProviderAPI, "", 0, 1},
		{stream.KindEvent, "mixpanel", "unknown_kind", 0, 0},
		{stream.KindIdentify, stream.ProviderSegment, "unknown_kind", 0, 0},
		{"other", stream.ProviderAPI, "unknown_kind", 0, 0},
	} {
		f := newEventBuilder(partition, func(mapping.Overrides) {})
		reason, err := f.append(&stream.Record{Kind: []byte(row.kind), Provider: []byte(row.provider), Value: []byte(raw)})
		require.Equal(t, row.reason, reason, row)
		require.Equal(t, row.reason != "", err != nil, row)
		require.Equal(t, row.rows, f.borrow().Rows(), row)
		require.Len(t, f.observations, row.identifyOrActivity, row)
	}
}
