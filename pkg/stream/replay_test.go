package stream

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// everything is all that is in the topics, ingest alone if no others are named.
func everything(t testing.TB, c *Client, topics ...string) []OffsetRange {
	t.Helper()
	if len(topics) == 0 {
		topics = []string{c.Topics().Ingest}
	}
	spans, err := c.OffsetRanges(t.Context(), &ReplayRange{Topics: topics})
	require.NoError(t, err)
	return spans
}

func replay(t testing.TB, c *Client, config ReplayConfig, spans []OffsetRange) ReplayProgress {
	t.Helper()
	r, err := c.NewReplay(config, spans)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Run(t.Context()))
	require.Empty(t, r.Remaining())
	p := r.Progress()
	require.Equal(t, p.Total, p.Read)
	return p
}

func send(t testing.TB, p *Producer, fill func(*Request)) {
	t.Helper()
	out := p.NewRequest(100, nil)
	fill(out)
	require.NoError(t, out.Send(t.Context()))
}

func at(r *kgo.Record) string { return string(appendCoordinates(nil, r)) }

func TestACopyIsWhatItIsACopyOf(t *testing.T) {
	_, c := started(t)
	send(t, producerOf(t, c, nil), func(o *Request) {
		o.AddMessage(KindConversation, &source, 1779105600123456, []byte(`{"a":1}`), []byte(`{"ip":"::1"}`))
	})
	others := &kgo.Record{
		Topic: c.Topics().Ingest, Key: []byte("p"), Value: []byte("{}"), Timestamp: time.UnixMilli(time.Now().Add(-time.Hour).UnixMilli()),
		Headers: []kgo.RecordHeader{{Key: "kind", Value: []byte("event")}, {Key: "trace", Value: []byte("x")}},
	}
	require.NoError(t, foreign(t, c).ProduceSync(t.Context(), others).FirstErr())
	require.Equal(t, map[ReplayGroup]int64{{"w", "p", KindConversation, false}: 1, {"", "p", KindEvent, false}: 1}, replay(t, c, ReplayConfig{}, everything(t, c)).ByGroup)

	records := fetch(t, c, c.Topics().Ingest, 4)
	for i := range 2 {
		var first, copied Record
		first.decode(records[i])
		copied.decode(records[i+2])
		require.Equal(t, at(records[i]), string(copied.ReplayOf))
		require.Equal(t, records[i].Partition, records[i+2].Partition)
		copied.ReplayOf, copied.Offset = nil, first.Offset
		require.Equal(t, first, copied, "the time of receipt too, where it was the record's own")
	}
	require.Contains(t, records[3].Headers, kgo.RecordHeader{Key: "trace", Value: []byte("x")})
	require.True(t, records[3].Timestamp.After(others.Timestamp), "its own time is another: retention goes by it")
}

func TestDeadLettersGoBackAsWhatTheyWere(t *testing.T) {
	_, c := started(t)
	send(t, producerOf(t, c, nil), func(o *Request) {
		o.AddDeadLetter(&source, 5, []byte(`{"a":1}`), []byte(`{}`), &DeadLetter{OriginalKind: KindIdentify, Reason: "r", Detail: "d", Origin: "elsewhere/0/7"})
	})
	old := &kgo.Record{Topic: c.Topics().DeadLetters, Key: []byte("p"), Value: []byte("2"), Headers: []kgo.RecordHeader{{Key: "kind", Value: []byte("dead_letter")}, {Key: "reason", Value: []byte("r")}}}
	require.NoError(t, foreign(t, c).ProduceSync(t.Context(), old).FirstErr())
	require.Equal(t, map[ReplayGroup]int64{{"w", "p", KindIdentify, true}: 1, {"", "p", KindEvent, true}: 1}, replay(t, c, ReplayConfig{}, everything(t, c, c.Topics().DeadLetters)).ByGroup)

	letters, records := fetch(t, c, c.Topics().DeadLetters, 2), fetch(t, c, c.Topics().Ingest, 2)
	var e Record
	e.decode(records[0])
	require.Equal(t, Record{
		Kind: []byte("identify"), Workspace: []byte("w"), Product: []byte("p"), Connection: []byte("c"), Provider: []byte("segment"),
		ReceivedAt: 5, Context: []byte(`{}`), Value: []byte(`{"a":1}`), Origin: []byte("elsewhere/0/7"), ReplayOf: []byte(at(letters[0])),
	}, e)
	e.decode(records[1])
	require.Equal(t, "event", string(e.Kind), "as all were before letters said what of")
	require.Nil(t, e.Reason)
	require.Len(t, records[1].Headers, 3)
}

// The loader's part: what of the ingest topic cannot be mapped becomes a dead letter, from offset on.
func bury(t testing.TB, c *Client, p *Producer, from int) (next int) {
	t.Helper()
	ends, err := c.admin.ListEndOffsets(t.Context(), c.Topics().Ingest)
	require.NoError(t, err)
	partitions, err := c.IngestPartitions(t.Context())
	require.NoError(t, err)
	next = int(offsetIn(ends, Partition{c.Topics().Ingest, PartitionOf("w", "p", partitions)}))
	for _, r := range fetch(t, c, c.Topics().Ingest, next)[from:] {
		var e Record
		e.decode(r)
		if string(e.Value) == "bad" {
			send(t, p, func(o *Request) {
				o.AddDeadLetter(&source, e.ReceivedAt, e.Value, nil, &DeadLetter{OriginalKind: Kind(e.Kind), Reason: "bad", Origin: at(r), ReplayOf: string(e.ReplayOf)})
			})
		}
	}
	return next
}

func TestReplaysDoNotGrow(t *testing.T) {
	for name, topics := range map[string]func(Topics) []string{
		"messages":              func(t Topics) []string { return []string{t.Ingest} },
		"dead letters":          func(t Topics) []string { return []string{t.DeadLetters} },
		"both":                  func(t Topics) []string { return []string{t.Ingest, t.DeadLetters} },
		"both, named backwards": func(t Topics) []string { return []string{t.DeadLetters, t.Ingest} },
	} {
		_, c := started(t)
		p := producerOf(t, c, nil)
		send(t, p, func(o *Request) {
			for range 5 {
				o.AddMessage(KindEvent, &source, 1, []byte("good"), nil)
				o.AddMessage(KindEvent, &source, 2, []byte("bad"), nil)
			}
			o.AddDeadLetter(&source, 3, []byte("bad"), nil, &DeadLetter{OriginalKind: KindEvent, Reason: "the edge's"})
			o.AddDeadLetter(&source, 4, []byte("good"), nil, &DeadLetter{OriginalKind: KindEvent, Reason: "the edge's"})
		})
		next := bury(t, c, p, 0)
		want := map[string]int64{"messages": 10, "dead letters": 7, "both": 12, "both, named backwards": 12}[name]
		for round := range 4 {
			require.Equal(t, want, replay(t, c, ReplayConfig{}, everything(t, c, topics(c.Topics())...)).Verdicts[Selected], "%s, round %d", name, round)
			next = bury(t, c, p, next)
		}
	}
}

func TestRecordsThatAreChosenOneByOne(t *testing.T) {
	_, c := started(t)
	p := producerOf(t, c, nil)
	send(t, p, func(o *Request) {
		for n := range 6 {
			o.AddDeadLetter(&source, int64(n), []byte{'0' + byte(n)}, nil, &DeadLetter{OriginalKind: KindEvent, Reason: "r"})
		}
	})
	letters := fetch(t, c, c.Topics().DeadLetters, 6)
	chosen := []Position{positionOf(letters[4]), positionOf(letters[1]), {positionOf(letters[0]).Partition, 1000}}
	spans, err := c.OffsetRangesOf(t.Context(), chosen)
	require.NoError(t, err)
	require.Equal(t, []OffsetRange{{chosen[0].Partition, 1, 5}}, spans, "what is not there is left out")
	progress := replay(t, c, ReplayConfig{Only: chosen}, spans)
	require.EqualValues(t, 2, progress.Verdicts[Selected])
	require.EqualValues(t, 2, progress.Verdicts[NotSelected])
	copies := fetch(t, c, c.Topics().Ingest, 2)
	require.Equal(t, "14", string(copies[0].Value)+string(copies[1].Value))
	none, err := c.OffsetRangesOf(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestWhatIsOutOfReachStandsForNothing(t *testing.T) {
	_, c := started(t)
	send(t, producerOf(t, c, nil), func(o *Request) { o.AddMessage(KindEvent, &source, 1, []byte("{}"), nil) })
	for range 2 {
		replay(t, c, ReplayConfig{}, everything(t, c))
	}
	spans := everything(t, c)
	require.Equal(t, int64(3), spans[0].Until)
	spans[0].From = 1 // as if the first had been deleted with age
	p := replay(t, c, ReplayConfig{}, spans)
	require.Equal(t, int64(2), p.Verdicts[Selected])
	spans = everything(t, c)
	spans[0].From = 1
	p = replay(t, c, ReplayConfig{}, spans)
	require.Equal(t, int64(2), p.Verdicts[Selected], "and the copies of the copies are none more")
	require.Equal(t, int64(2), p.Verdicts[AlreadySelected])
}

func TestProductsAndReasons(t *testing.T) {
	_, c := started(t)
	producer := producerOf(t, c, nil)
	send(t, producer, func(o *Request) {
		for _, product := range []string{"a", "a", "b", "c"} {
			o.AddMessage(KindEvent, &Source{Product: product}, 1, []byte("{}"), nil)
		}
		o.AddDeadLetter(&Source{Product: "a"}, 1, []byte("{}"), nil, &DeadLetter{OriginalKind: KindEvent, Reason: "x"})
		o.AddDeadLetter(&Source{Product: "a"}, 1, []byte("{}"), nil, &DeadLetter{OriginalKind: KindEvent, Reason: "y"})
		o.AddDeadLetter(&Source{Product: "b"}, 1, []byte("{}"), nil, &DeadLetter{OriginalKind: KindEvent, Reason: "y"})
	})
	p := replay(t, c, ReplayConfig{DryRun: true, Products: []string{"a", "c", "nobody"}}, everything(t, c))
	require.Equal(t, map[ReplayGroup]int64{{"", "a", KindEvent, false}: 2, {"", "c", KindEvent, false}: 1}, p.ByGroup)
	require.Equal(t, int64(1), p.Verdicts[OtherProduct])
	require.Len(t, fetch(t, c, c.Topics().Ingest, 4), 4)

	letters := everything(t, c, c.Topics().DeadLetters)
	p = replay(t, c, ReplayConfig{Products: []string{"a"}, Reasons: []string{"x"}}, letters)
	require.Equal(t, map[ReplayGroup]int64{{"", "a", KindEvent, true}: 1}, p.ByGroup)
	require.Equal(t, [verdicts]int64{Selected: 1, OtherProduct: 1, OtherReason: 1}, p.Verdicts)
	// Its copy becomes a dead letter for another reason, of which it is the first.
	var first *kgo.Record
	for _, r := range fetch(t, c, c.Topics().DeadLetters, 3) {
		var e Record
		if e.decode(r); string(e.Reason) == "x" {
			first = r
		}
	}
	send(t, producer, func(o *Request) {
		o.AddDeadLetter(&Source{Product: "a"}, 1, []byte("{}"), nil, &DeadLetter{OriginalKind: KindEvent, Reason: "z", ReplayOf: at(first)})
	})
	letters = everything(t, c, c.Topics().DeadLetters)
	require.Equal(t, int64(1), replay(t, c, ReplayConfig{Reasons: []string{"z"}, DryRun: true}, letters).Verdicts[Selected])
	require.Equal(t, int64(1), replay(t, c, ReplayConfig{Reasons: []string{"x", "z"}, DryRun: true}, letters).Verdicts[Selected])
}

func TestWhatIsTooLargeStaysADeadLetter(t *testing.T) {
	_, c := started(t)
	largest := IngestRecordBytes - copyOverheadBytes - len("w\x00p"+"kindworkspaceconnectionproviderreceived_atoriginal_kindreason"+"dead_letter"+"wcsegment"+"event"+"r") - 8
	send(t, producerOf(t, c, nil), func(o *Request) {
		for _, n := range []int{largest, largest + 1, 8 << 20} {
			o.AddDeadLetter(&source, 1, bytes.Repeat([]byte("x"), n), nil, &DeadLetter{OriginalKind: KindEvent, Reason: "r"})
		}
	})
	p := replay(t, c, ReplayConfig{}, everything(t, c, c.Topics().DeadLetters))
	require.Equal(t, [verdicts]int64{Selected: 1, TooLarge: 2}, p.Verdicts)
	require.Len(t, fetch(t, c, c.Topics().Ingest, 1)[0].Value, largest)
}

func TestAReplayThatIsStoppedGoesOnWhereItWas(t *testing.T) {
	_, c := started(t)
	p := producerOf(t, c, nil)
	const n = 300
	for i := range n / 100 {
		send(t, p, func(o *Request) {
			for j := range 100 {
				o.AddMessage(KindEvent, &Source{Product: fmt.Sprint(j % 7)}, int64(i*100+j), []byte("{}"), nil)
			}
		})
	}
	spans := everything(t, c)
	r, err := c.NewReplay(ReplayConfig{Rate: 200}, spans)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for r.Progress().Read == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	require.ErrorIs(t, r.Run(ctx), context.Canceled)
	done := r.Progress()
	require.Less(t, done.Read, int64(n), "the control: it was stopped on the way")
	rest := r.Remaining()
	r.Close()

	ends := map[Partition]int64{}
	for _, s := range spans {
		ends[s.Partition] = s.Until
	}
	spans, err = c.OffsetRanges(t.Context(), &ReplayRange{Offsets: rest})
	require.NoError(t, err)
	for i := range spans {
		spans[i].Until = ends[spans[i].Partition]
	}
	require.Equal(t, int64(n), done.Read+replay(t, c, ReplayConfig{}, spans).Read)
	copies := map[string]int{}
	for _, record := range fetch(t, c, c.Topics().Ingest, 2*n) {
		var e Record
		e.decode(record)
		if e.ReplayOf != nil {
			copies[string(e.ReplayOf)]++
		}
	}
	require.Len(t, copies, n, "each once")
}

func TestPace(t *testing.T) {
	for rate, most := range map[int]int{0: maxReplayBatch, 1: 1, 9: 1, 50: 5, 9990: 999, 1 << 30: maxReplayBatch} {
		require.Equal(t, most, (&pace{rate: rate}).most())
	}
	p := pace{rate: 1_000_000}
	require.NoError(t, p.wait(t.Context(), 1000))
	due := p.next
	p.next = time.Now().Add(time.Hour)
	ahead := p.next
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.wait(stopped, 500), context.Canceled)
	require.Equal(t, 500*time.Microsecond, p.next.Sub(ahead))
	require.False(t, time.Now().Before(due), "it has waited")
	require.ErrorIs(t, p.wait(stopped, 0), context.Canceled)
}

func TestCoordinates(t *testing.T) {
	p, ok := ParseCoordinates([]byte("millrace.ingest/12/1234567890123"))
	require.True(t, ok)
	require.Equal(t, Position{Partition{"millrace.ingest", 12}, 1234567890123}, p)
	for _, text := range []string{"", "t", "t/1", "t/1/", "t//1", "t/1/1/1", "t/x/1", "t/1/x", "t/4294967296/1"} {
		_, ok := ParseCoordinates([]byte(text))
		require.False(t, ok, text)
	}
}
