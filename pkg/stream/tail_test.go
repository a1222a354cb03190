package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
)

// looks reads until so many records have been accounted for: seen or left out.
func looks(t testing.TB, tail *Tail, n int64) (all TailBatch) {
	t.Helper()
	eventually(t, func() bool {
		look, err := tail.Next(t.Context(), 50*time.Millisecond, 100)
		require.NoError(t, err)
		require.LessOrEqual(t, len(look.Entries), 100)
		all.Entries, all.Skipped = append(all.Entries, look.Entries...), all.Skipped+look.Skipped
		return int64(len(all.Entries))+all.Skipped >= n
	}, "the tail to see what was written")
	return all
}

func sendMany(t testing.TB, p *Producer, n int) {
	t.Helper()
	for ; n > 0; n -= 100 {
		send(t, p, func(o *Request) {
			for range min(n, 100) {
				o.AddMessage(KindEvent, &source, 1, []byte(`{"n":"a record of a hundred bytes or so, so that a fetch does not take in all of them at once"}`), nil)
			}
		})
	}
}

func TestATailShowsWhatComesAndALittleOfWhatWas(t *testing.T) {
	_, c := started(t)
	p := producerOf(t, c, nil)
	sendMany(t, p, 300)
	partitions, err := c.PartitionsOf(t.Context(), source.Workspace, source.Product, 1)
	require.NoError(t, err)
	require.Equal(t, []string{c.Topics().Ingest, c.Topics().DeadLetters}, []string{partitions[0].Topic, partitions[1].Topic})
	tail, err := c.NewTail(TailConfig{Partitions: partitions, Last: 5, MaxBehind: 200})
	require.NoError(t, err)
	defer tail.Close()
	require.Len(t, looks(t, tail, 5).Entries, 5, "those before the end")
	send(t, p, func(o *Request) {
		o.AddMessage(KindEvent, &source, 7, []byte(`{"new":1}`), nil)
		o.AddDeadLetter(&source, 8, []byte(`bad`), nil, &DeadLetter{OriginalKind: KindEvent, Reason: "r"})
	})
	look := looks(t, tail, 2)
	require.Len(t, look.Entries, 2)
	require.Zero(t, look.Skipped)
	for _, e := range look.Entries {
		if e.Topic == c.Topics().Ingest {
			require.Equal(t, `{"new":1}`, string(e.Value))
			require.EqualValues(t, 300, e.Offset)
		} else {
			require.Equal(t, "r", string(e.Reason))
		}
	}
}

func TestATailLeavesOutWhatNobodyCanRead(t *testing.T) {
	_, c := started(t)
	partitions, err := c.PartitionsOf(t.Context(), source.Workspace, source.Product, 1)
	require.NoError(t, err)
	tail, err := c.NewTail(TailConfig{Partitions: partitions, MaxBehind: 100})
	require.NoError(t, err)
	defer tail.Close()
	p := producerOf(t, c, nil)
	sendMany(t, p, 1)
	require.Len(t, looks(t, tail, 1).Entries, 1)
	const many = 5000
	sendMany(t, p, many)
	look := looks(t, tail, many)
	require.Positive(t, look.Skipped)
	require.Less(t, len(look.Entries), many/2, "it is a sample")
	require.EqualValues(t, many, int64(len(look.Entries))+look.Skipped, "and everything is accounted for")
	require.EqualValues(t, many, look.Entries[len(look.Entries)-1].Offset, "to the end")
}

func TestPartitionsOf_SaltedProduct(t *testing.T) {
	_, c := started(t)
	one, err := c.PartitionsOf(t.Context(), "w", "p", 1)
	require.NoError(t, err)
	require.Len(t, one, 2)
	three, err := c.PartitionsOf(t.Context(), "w", "p", 3)
	require.NoError(t, err)
	require.Len(t, three, 6)
	require.Equal(t, (one[0].ID+2)%4, three[2].ID)
	all, err := c.PartitionsOf(t.Context(), "w", "p", MaxSalts)
	require.NoError(t, err)
	require.Len(t, all, 8, "no more than there are")
}

func TestTheLagOfAGroup(t *testing.T) {
	_, c := started(t)
	_, err := c.Lag(t.Context(), "nobody")
	require.Error(t, err, "a group that there never was")
	produce(t, c, 10, 0, 1)
	var committed kadm.Offsets
	committed.AddOffset(c.Topics().Ingest, 0, 4, -1)
	committed.AddOffset(c.Topics().Ingest, 1, 10, -1)
	require.NoError(t, kadm.NewClient(foreign(t, c)).CommitAllOffsets(t.Context(), "g", committed))
	lag, err := c.Lag(t.Context(), "g")
	require.NoError(t, err)
	require.EqualValues(t, 6, lag)
}
