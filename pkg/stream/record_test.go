package stream

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

var source = Source{Workspace: "w", Product: "p", Connection: "c", Provider: "segment"}

func TestRecordsKeepEveryField(t *testing.T) {
	_, c := started(t)
	p := producerOf(t, c, nil)
	out := p.NewRequest(3, nil)
	out.AddMessage(KindEvent, &source, 1779105600123456, []byte(`{"type":"track"}`), []byte(`{"ip":"::1"}`))
	out.AddDeadLetter(&source, 1779105600123457, []byte(`no json`), []byte(`{}`), &DeadLetter{KindIdentify, "not_a_message", "why", "t/1/2", "t/0/1", "\x00"})
	out.AddMessage(KindEvent, &Source{Product: "p"}, -1, []byte(`{}`), nil)
	require.Equal(t, 3, out.Len())
	require.NoError(t, out.Send(t.Context()))

	var e Record
	events := fetch(t, c, c.Topics().Ingest, 2)
	e.decode(events[0])
	require.Equal(t, Record{
		Kind: []byte("event"), Workspace: []byte("w"), Product: []byte("p"), Connection: []byte("c"), Provider: []byte("segment"),
		ReceivedAt: 1779105600123456, Value: []byte(`{"type":"track"}`), Context: []byte(`{"ip":"::1"}`),
	}, e)
	require.Equal(t, time.Date(2026, 5, 18, 12, 0, 0, 123456000, time.UTC), e.ReceivedTime())
	e.decode(events[1])
	require.Nil(t, e.Context, "nothing of the entry before is left")
	require.Equal(t, int64(1), e.Offset)
	require.Equal(t, int64(-1), e.ReceivedAt)

	e.decode(fetch(t, c, c.Topics().DeadLetters, 1)[0])
	require.Equal(t, Record{
		Kind: []byte("dead_letter"), Workspace: []byte("w"), Product: []byte("p"), Connection: []byte("c"), Provider: []byte("segment"),
		ReceivedAt: 1779105600123457, Value: []byte(`no json`), Context: []byte(`{}`),
		OriginalKind: []byte("identify"), Reason: []byte("not_a_message"), Detail: []byte("why"), Origin: []byte("t/1/2"), ReplayOf: []byte("t/0/1"), Salt: []byte{0},
	}, e)
}

func TestRecordsOfEveryKind(t *testing.T) {
	_, c := started(t)
	out := producerOf(t, c, nil).NewRequest(3, nil)
	kinds := []Kind{KindEvent, KindIdentify, KindConversation}
	for i, kind := range kinds {
		out.AddMessage(kind, &source, int64(i), []byte(kind), nil)
	}
	require.NoError(t, out.Send(t.Context()))
	for i, r := range fetch(t, c, c.Topics().Ingest, 3) {
		var e Record
		e.decode(r)
		require.Equal(t, []byte(kinds[i]), e.Kind)
		require.Equal(t, e.Kind, e.Value)
		require.Equal(t, "w\x00p", string(r.Key))
		require.Len(t, r.Headers, 5)
	}
}

func TestADeadLetterWithoutDetailAndOriginHasNoSuchHeaders(t *testing.T) {
	_, c := started(t)
	out := producerOf(t, c, nil).NewRequest(1, nil)
	out.AddDeadLetter(&source, 1, []byte("x"), nil, &DeadLetter{Reason: "reason"})
	require.NoError(t, out.Send(t.Context()))
	require.Len(t, fetch(t, c, c.Topics().DeadLetters, 1)[0].Headers, 7)
}

func TestRecordsOfOneProductShareAPartitionWithOtherProducers(t *testing.T) {
	_, c := started(t)
	kafka := foreign(t, c)
	p := producerOf(t, c, nil)
	for _, product := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		out := p.NewRequest(1, nil)
		out.AddMessage(KindEvent, &Source{Workspace: "w", Product: product}, 0, []byte("{}"), nil)
		require.NoError(t, out.Send(t.Context()))
		require.NoError(t, kafka.ProduceSync(t.Context(), &kgo.Record{Topic: c.Topics().Ingest, Key: []byte("w\x00" + product)}).FirstErr())
	}
	partitions := map[string]map[int32]bool{}
	for _, r := range fetch(t, c, c.Topics().Ingest, 14) {
		if partitions[string(r.Key)] == nil {
			partitions[string(r.Key)] = map[int32]bool{}
		}
		partitions[string(r.Key)][r.Partition] = true
	}
	for product, of := range partitions {
		require.Len(t, of, 1, product)
	}
}

func TestDecodeTakesWhatOthersWrite(t *testing.T) {
	at := time.UnixMicro(1779105600123000)
	eight := binary.BigEndian.AppendUint64(nil, 42)
	for name, row := range map[string]struct {
		headers []kgo.RecordHeader
		want    Record
	}{
		"no headers":            {nil, Record{ReceivedAt: at.UnixMicro()}},
		"unknown headers":       {[]kgo.RecordHeader{{Key: "trace", Value: []byte("x")}, {Key: ""}}, Record{ReceivedAt: at.UnixMicro()}},
		"time too short":        {[]kgo.RecordHeader{{Key: "received_at", Value: eight[:7]}}, Record{ReceivedAt: at.UnixMicro()}},
		"time too long":         {[]kgo.RecordHeader{{Key: "received_at", Value: append(eight[:8:8], 0)}}, Record{ReceivedAt: at.UnixMicro()}},
		"time null":             {[]kgo.RecordHeader{{Key: "received_at"}}, Record{ReceivedAt: at.UnixMicro()}},
		"time of its own":       {[]kgo.RecordHeader{{Key: "received_at", Value: eight}}, Record{ReceivedAt: 42}},
		"the last one counts":   {[]kgo.RecordHeader{{Key: "kind", Value: []byte("a")}, {Key: "kind", Value: []byte("b")}}, Record{Kind: []byte("b"), ReceivedAt: at.UnixMicro()}},
		"key without workspace": {[]kgo.RecordHeader{{Key: "workspace", Value: []byte("w")}}, Record{Workspace: []byte("w"), ReceivedAt: at.UnixMicro()}},
		"names are exact":       {[]kgo.RecordHeader{{Key: "Kind", Value: []byte("a")}}, Record{ReceivedAt: at.UnixMicro()}},
	} {
		e := Record{Reason: []byte("left over"), Offset: 7}
		e.decode(&kgo.Record{Headers: row.headers, Timestamp: at})
		require.Equal(t, row.want, e, name)
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	r := &kgo.Record{Key: []byte("p"), Headers: []kgo.RecordHeader{{Key: headerKind, Value: []byte("event")}, {Key: headerReceivedAt, Value: make([]byte, 8)}}}
	b := &Batch{records: []*kgo.Record{r}}
	var e Record
	require.Zero(t, testing.AllocsPerRun(100, func() { b.Entry(0, &e) }))
	require.Equal(t, int64(1+4+5+11+8), b.Size(0))
}

// Two workspaces may have products of one id, and their concatenations may be equal.
func TestKeys_OfTwoWorkspacesDiffer(t *testing.T) {
	_, c := started(t)
	ids := [][2]string{{"a", "p"}, {"b", "p"}, {"ab", "p"}, {"a", "bp"}, {"", "abp"}}
	out := producerOf(t, c, nil).NewRequest(2*len(ids), nil)
	for range 2 {
		for _, id := range ids {
			out.AddMessage(KindEvent, &Source{Workspace: id[0], Product: id[1]}, 0, []byte("{}"), nil)
		}
	}
	require.NoError(t, out.Send(t.Context()))
	keys, partitions := map[string][2]string{}, map[int32]bool{}
	for _, r := range fetch(t, c, c.Topics().Ingest, 2*len(ids)) {
		var e Record
		e.decode(r)
		id := [2]string{string(e.Workspace), string(e.Product)}
		require.Contains(t, ids, id)
		require.Equal(t, PartitionOf(id[0], id[1], partitionCount(t, c)), r.Partition)
		keys[string(r.Key)] = id
		partitions[r.Partition] = true
	}
	require.Len(t, keys, len(ids))
	require.Greater(t, len(partitions), 1)
}

func TestDecode_KeyCountsIfTheHeaderDiffers(t *testing.T) {
	var e Record
	e.decode(&kgo.Record{Key: []byte("w\x00p"), Headers: []kgo.RecordHeader{{Key: headerWorkspace, Value: []byte("other")}}})
	require.Equal(t, []string{"w", "p"}, []string{string(e.Workspace), string(e.Product)})
}

func partitionCount(t *testing.T, c *Client) int32 {
	t.Helper()
	n, err := c.IngestPartitions(t.Context())
	require.NoError(t, err)
	return n
}
