package loader

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
)

func entriesOf(n int) []stream.Record {
	entries := make([]stream.Record, n)
	for i := range entries {
		entries[i] = stream.Record{
			Kind: []byte("event"), Provider: []byte("segment"), Product: []byte("p"), Value: realistic(i),
			Offset: int64(i), ReceivedAt: 1,
		}
	}
	return entries
}

var partition = stream.Partition{Topic: "t", ID: 3}

func newEventBatch() *insertBatch {
	return &insertBatch{rowBuilder: newEventBuilder(partition, func(*mapping.Result) {})}
}

func TestBatch_HoldsARangeOfOffsets(t *testing.T) {
	b := newEventBatch()
	require.True(t, b.isEmpty())
	entries := entriesOf(3)
	entries[0].Offset, entries[1].Offset, entries[2].Offset = 10, 11, 15 // compaction and markers leave gaps
	entries[0].ReceivedAt, entries[1].Value = 77, []byte("broken")
	for i := range entries {
		b.add(&entries[i], 100)
	}
	require.False(t, b.isEmpty())
	require.Equal(t, int64(10), b.firstOffset)
	require.Equal(t, int64(16), b.nextOffset)
	require.Equal(t, int64(300), b.bytes)
	require.Equal(t, int64(77), b.oldestReceivedAt)
	require.Equal(t, 3, b.records)
	require.Equal(t, 2, b.block().Rows())
	require.Len(t, b.deadLetters, 1)
	require.Equal(t, "broken", string(b.deadLetters[0].value))
	require.Equal(t, int64(11), b.deadLetters[0].offset)
	b.clear()
	require.True(t, b.isEmpty())
	require.Zero(t, b.bytes)
	require.Zero(t, b.block().Rows())
	require.Empty(t, b.deadLetters)
}

func TestDeadLetter_OutlivesTheNextRecord(t *testing.T) {
	b := newEventBatch()
	entries := entriesOf(1)
	e := stream.Record{
		Workspace: []byte("w"), Product: []byte("p"), Connection: []byte("c"), Provider: []byte("x"), Kind: []byte("k"),
		Value: []byte("v"), Context: []byte("ctx"), ReceivedAt: 5, Offset: 6, ReplayOf: []byte("t/0/1"),
	}
	b.add(&e, 1)
	e = entries[0]
	b.add(&e, 1)
	require.Equal(t, []deadLetter{{
		source:     stream.Source{Workspace: "w", Product: "p", Connection: "c", Provider: "x"},
		receivedAt: 5, value: []byte("v"), context: []byte("ctx"), reason: "unknown_kind",
		detail: `message cannot be mapped: kind "k" of provider "x" is not known`, offset: 6, originalKind: "k", replayOf: "t/0/1",
	}}, b.deadLetters)
}

func TestBatch_AllocatesNothingPerRecord(t *testing.T) {
	b := newEventBatch()
	entries := entriesOf(10_000)
	fill := func() {
		for i := range entries {
			b.add(&entries[i], 1)
		}
		b.clear()
	}
	fill()
	require.Empty(t, b.deadLetters)
	// The block builds its few dictionaries for every batch, and under the race detector the pool drops some blocks,
	// each of some hundred allocations: per batch, not per record.
	require.Less(t, testing.AllocsPerRun(10, fill), 1000.0)
}

func TestBatch_RefusedRowsAreNotInThePreparedBatch(t *testing.T) {
	b := newEventBatch()
	b.add(&stream.Record{}, 1)
	prepared := b.prepared()
	_ = append(prepared.deadLetters, deadLetter{reason: reasonRefused})
	b.add(&stream.Record{}, 1)
	require.Len(t, prepared.deadLetters, 1)
	require.Equal(t, "unknown_kind", prepared.deadLetters[0].reason)
	require.Equal(t, 1, prepared.records)
}
