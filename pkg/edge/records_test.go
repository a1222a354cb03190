package edge

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/connection"
)

// headers of a record as text, received_at apart.
func headers(r *kgo.Record) (names map[string]string, receivedAt int64) {
	names = map[string]string{}
	for _, h := range r.Headers {
		if h.Key == "received_at" {
			receivedAt = int64(binary.BigEndian.Uint64(h.Value))
			continue
		}
		names[h.Key] = string(h.Value)
	}
	return names, receivedAt
}

func values(records []*kgo.Record) (values []string) {
	for _, r := range records {
		values = append(values, string(r.Value))
	}
	return values
}

func TestShapes(t *testing.T) {
	t.Parallel()
	const (
		odd   = "{ \"type\" : \"tr\\u0061ck\",\n\t\"event\":\"Größe 😀\", \"n\":1.50e+02 }" // every byte counts
		page  = `{"type":"page"}`
		alias = `{"type":"alias","userId":"u"}`
		group = `{"type":"group"}`
		other = `{"type":"delete","userId":"u"}`
	)
	for name, row := range map[string]struct {
		body, answer string
		values       []string
		context      string
	}{
		"one message":          {odd, accepted(1, 1, 0), []string{odd}, ""},
		"with space around":    {" \r\n" + odd + "\n", accepted(1, 1, 0), []string{odd}, ""},
		"an array":             {"[" + odd + " , " + page + "]", accepted(2, 2, 0), []string{odd, page}, ""},
		"a batch":              {`{"sentAt":"x","writeKey":"w","batch":[` + page + `,` + odd + `]}`, accepted(2, 2, 0), []string{page, odd}, ""},
		"a batch with context": {`{"batch":[` + page + `,` + track + `],"context":{"ip": 1}}`, accepted(2, 2, 0), []string{page, track}, `{"ip": 1}`},
		"context is no object": {`{"batch":[` + page + `],"context":[1]}`, accepted(1, 1, 0), []string{page}, ""},
		"a message's context":  {`{"type":"page","context":{"ip":1}}`, accepted(1, 1, 0), []string{`{"type":"page","context":{"ip":1}}`}, ""},
		"dropped silently":     {"[" + alias + "," + page + "," + group + "," + other + "]", accepted(4, 1, 3), []string{page}, ""},
		"all dropped silently": {"[" + alias + "]", accepted(1, 0, 1), nil, ""},
		"an empty batch":       {`{"batch":[]}`, accepted(0, 0, 0), nil, ""},
		"an empty array":       {`[]`, accepted(0, 0, 0), nil, ""},
		"the same twice":       {"[" + track + "," + track + "]", accepted(2, 2, 0), []string{track, track}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startAlsoOnKafka(t)
			s := r.create(connection.CreateParams{WorkspaceID: "the workspace", ProductID: "the product"})
			before := time.Now().UnixMicro()
			requireAnswer(t, r.post(s.path(), row.body), 200, row.answer)
			written := r.records(ingest)
			require.Equal(t, row.values, values(written))
			require.Empty(t, r.records(deadLetters))
			want := map[string]string{"kind": "event", "workspace": "the workspace", "connection": s.ID, "provider": "segment"}
			if row.context != "" {
				want["context"] = row.context
			}
			last := before - 1
			for _, record := range written {
				got, at := headers(record)
				require.Equal(t, "the workspace\x00the product", string(record.Key))
				require.Equal(t, want, got)
				require.Greater(t, at, last)
				last = at
			}
			require.LessOrEqual(t, last, time.Now().UnixMicro()+int64(len(written)))
			r.requireNothingHeld()
		})
	}
}

func TestReceivedAtNeverRepeats(t *testing.T) {
	t.Parallel()
	r := startAlsoOnKafka(t)
	s := r.create(connection.CreateParams{})
	batch := "[" + strings.Repeat(track+",", 99) + track + "]"
	for range 20 {
		requireAnswer(t, r.post(s.path(), batch), 200, accepted(100, 100, 0))
	}
	var last int64
	for _, record := range r.records(ingest) {
		_, at := headers(record)
		require.Greater(t, at, last)
		last = at
	}
}

func TestClock(t *testing.T) {
	var c clock
	ahead := time.Now().Add(time.Hour).UnixMicro()
	c.last.Store(ahead) // many at once, or a clock that was set back
	require.Equal(t, ahead+1, c.reserve(3))
	require.Equal(t, ahead+4, c.reserve(0))
	require.Equal(t, ahead+4, c.reserve(1))
}

// A product's partition is the one that any producer with default settings chooses.
func TestPartition_IsKafkasDefault(t *testing.T) {
	t.Parallel()
	r := startAlsoOnKafka(t)
	other, err := kgo.NewClient(kgo.SeedBrokers(r.brokers), kgo.DefaultProduceTopic(ingest))
	require.NoError(t, err)
	defer other.Close()
	for i := range 12 {
		s := r.create(connection.CreateParams{ProductID: fmt.Sprintf("product %d", i)})
		requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
		require.NoError(t, other.ProduceSync(context.Background(), &kgo.Record{Key: []byte(s.WorkspaceID + "\x00" + s.ProductID), Value: []byte("other")}).FirstErr())
	}
	partitions := map[string]map[int32]int{}
	used := map[int32]bool{}
	for _, record := range r.records(ingest) {
		if partitions[string(record.Key)] == nil {
			partitions[string(record.Key)] = map[int32]int{}
		}
		partitions[string(record.Key)][record.Partition]++
		used[record.Partition] = true
	}
	require.Len(t, partitions, 12)
	require.Greater(t, len(used), 3)
	for product, on := range partitions {
		require.Len(t, on, 1, product)
	}
}

func TestMessageCount(t *testing.T) {
	r := startAlsoOnKafka(t)
	s := r.create(connection.CreateParams{})
	full := strings.Repeat(track+",", 999) + track
	for _, body := range []string{"[" + full + "]", `{"batch":[` + full + `]}`} {
		requireAnswer(t, r.post(s.path(), body), 200, accepted(1000, 1000, 0))
	}
	const want = `{"error":{"code":"too_many_messages","message":"The batch has 1001 messages, more than the 1000 allowed: split it."}}`
	for _, body := range []string{"[" + full + "," + track + "]", `{"batch":[` + full + `,{"type":"alias"}]}`} {
		requireAnswer(t, r.post(s.path(), body), 413, want)
	}
	require.Len(t, r.records(ingest), 2000)
	r.requireMetric("messages_accepted_total", "2000")
}

func TestContextBesideABatchIsBounded(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	body := func(n int) string {
		return `{"batch":[` + track + `],"context":{"a":"` + strings.Repeat("x", n-len(`{"a":""}`)) + `"}}`
	}
	requireAnswer(t, r.post(s.path(), body(16<<10)), 200, accepted(1, 1, 0))
	requireAnswer(t, r.post(s.path(), body(16<<10+1)), 413,
		`{"error":{"code":"context_too_large","message":"The context beside the batch is larger than 16384 bytes: put it into the messages."}}`)
	require.Len(t, r.records(ingest), 1)
}

func TestDeadLetters(t *testing.T) {
	r := startAlsoOnKafka(t)
	s := r.create(connection.CreateParams{WorkspaceID: "w", ProductID: "p"})
	large := `{"type":"track","event":"e","properties":{"x":"` + strings.Repeat("x", 513<<10) + `"}}`
	bad := []struct{ raw, reason, detail string }{
		{`17`, "not_a_message", "it is not an object whose type is a string"},
		{`{"type":1 }`, "not_a_message", "it is not an object whose type is a string"},
		{`{"type":"Track","event":"e"}`, "unknown_type", "its type is not track, page, screen, identify, group, alias or delete"},
		{`{"type":"track","event":" "}`, "missing_event", "a track message needs a non-empty string as its event, or a gf_event_type"},
		{`{"type":"page","properties":[]}`, "invalid_properties", "its properties are neither an object nor null"},
		{large, "message_too_large", "it is larger than the limit for one message"},
	}
	body := `{"context":{"ip":1},"batch":[` + track
	for _, b := range bad {
		body += "," + b.raw + "," + track
	}
	body += `,{"type":"alias"}]}`
	requireAnswer(t, r.post(s.path(), body), 200, listing(accepted(14, 7, 7),
		1, "not_a_message", 3, "not_a_message", 5, "unknown_type", 7, "missing_event", 9, "invalid_properties", 11, "message_too_large"))

	require.Equal(t, slices.Repeat([]string{track}, 7), values(r.records(ingest)))
	letters := r.records(deadLetters)
	require.Len(t, letters, len(bad))
	var last int64
	for i, letter := range letters {
		got, at := headers(letter)
		require.Equal(t, "w\x00p", string(letter.Key))
		require.True(t, bad[i].raw == string(letter.Value), "letter %d is not whole", i)
		require.Equal(t, map[string]string{
			"kind": "dead_letter", "original_kind": "event", "workspace": "w", "connection": s.ID, "provider": "segment", "context": `{"ip":1}`,
			"reason": bad[i].reason, "detail": bad[i].detail,
		}, got)
		require.Greater(t, at, last)
		last = at
	}
	r.requireMetric("messages_accepted_total", "7")
	r.requireMetric(`dead_letters_total{reason="unknown_type"}`, "1")
	r.requireMetric("messages_ignored_total", "1")
	r.requireMetric(`dead_letters_total{reason="not_a_message"}`, "2")
	r.requireMetric(`dead_letters_total{reason="missing_event"}`, "1")
	r.requireMetric(`dead_letters_total{reason="invalid_properties"}`, "1")
	r.requireMetric(`dead_letters_total{reason="message_too_large"}`, "1")
	r.requireNothingHeld()
}

// What cannot be an event can be as large as a body, and is kept all the same.
func TestLargestDeadLetter(t *testing.T) {
	r := startAlsoOnKafka(t)
	s := r.create(connection.CreateParams{})
	const frame, limit = `[{"type":"track","event":"e","x":""},{"type":"page"}]`, 8 << 20
	large := strings.Replace(frame, `""`, `"`+strings.Repeat("x", limit-len(frame))+`"`, 1)
	require.Len(t, large, limit)
	requireAnswer(t, r.post(s.path(), large), 200, listing(accepted(2, 1, 1), 0, "message_too_large"))
	letters := r.records(deadLetters)
	require.Len(t, letters, 1)
	require.True(t, large[1:len(large)-len(`,{"type":"page"}]`)] == string(letters[0].Value), "the letter is not whole")
	require.Equal(t, []string{`{"type":"page"}`}, values(r.records(ingest)))
	r.requireNothingHeld()
}

func TestManyBrokenMessages_ListsTheFirstTen(t *testing.T) {
	r := startAlsoOnKafka(t)
	s := r.create(connection.CreateParams{})
	for broken, listed := range map[int]int{10: 10, 11: 10, 999: 10} {
		var errors []any
		for i := range listed {
			errors = append(errors, i+1, "unknown_type")
		}
		body := "[" + track + strings.Repeat(`,{"type":"bogus"}`, broken) + "]"
		requireAnswer(t, r.post(s.path(), body), 200, listing(accepted(broken+1, 1, broken), errors...))
	}
}

func TestOnlyBrokenMessages_AreRefused(t *testing.T) {
	r := startAlsoOnKafka(t)
	s := r.create(connection.CreateParams{})
	says := func(sentence string) string {
		return `{"error":{"code":"not_a_segment_payload","message":"No element is a valid Segment message; element 0: ` + sentence + `.","index":0}}`
	}
	for body, want := range map[string]string{
		`{}`:                           says("it is not an object whose type is a string"),
		`{"type":"bogus"}`:             says("its type is not track, page, screen, identify, group, alias or delete"),
		`"canary"`:                     says("it is not an object whose type is a string"),
		`null`:                         says("it is not an object whose type is a string"),
		`{"batch":[1,{"type":"page"]}`: `{"error":{"code":"invalid_json","message":"The body is not valid JSON: see byte 26."}}`,
		`{"type":"track"}`:             says("a track message needs a non-empty string as its event, or a gf_event_type"),
		`[{"type":"page","properties":"x"},{"type":"track"},5]`: says("its properties are neither an object nor null"),
		``:                           `{"error":{"code":"invalid_json","message":"The body is not valid JSON: see byte 0."}}`,
		track + track:                fmt.Sprintf(`{"error":{"code":"invalid_json","message":"The body is not valid JSON: see byte %d."}}`, len(track)),
		"{\"type\":\"\xff\"}":        `{"error":{"code":"invalid_utf8","message":"The body is not valid UTF-8."}}`,
		strings.Repeat("[", 100_000): `{"error":{"code":"nested_too_deeply","message":"The body is nested deeper than 64 levels."}}`,
	} {
		requireAnswer(t, r.post(s.path(), body), 400, want)
	}
	require.Empty(t, r.records(ingest))
	require.Empty(t, r.records(deadLetters))
	r.requireNothingHeld()
}
