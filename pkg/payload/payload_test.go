package payload_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	gojson "github.com/goccy/go-json"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/segment"
)

const track = `{"type":"track","event":"E"}`

func parse(t *testing.T, body string) (*payload.Payload, *payload.Refusal) {
	t.Helper()
	return parseWithin(t, body, payload.DefaultLimits)
}

func parseWithin(t *testing.T, body string, limits payload.Limits) (*payload.Payload, *payload.Refusal) {
	t.Helper()
	p := payload.New(&segment.Format)
	err := p.Parse([]byte(body), limits)
	var refusal *payload.Refusal
	if err != nil {
		require.ErrorAs(t, err, &refusal)
	}
	return p, refusal
}

func TestParseShapes(t *testing.T) {
	six := []string{}
	for _, kind := range []string{"track", "page", "screen", "identify", "group", "alias"} {
		six = append(six, `{"type":"`+kind+`","event":"E"}`)
	}
	list := "[" + strings.Join(six, " , ") + "]"
	for _, body := range []string{list, `{"batch":` + list + `}`, ` {"sentAt":"x","writeKey":"k","batch" : ` + list + `,"context":{}} `} {
		p, refusal := parse(t, body)
		require.Nil(t, refusal)
		require.Equal(t, []int{6, 3, 3, 0}, []int{p.Received(), p.Accepted, p.Ignored, p.Invalid})
		for i, m := range p.Messages {
			require.Equal(t, six[i], string(m.Raw))
		}
	}
	for i, body := range six {
		p, refusal := parse(t, "\n"+body+" ")
		require.Nil(t, refusal)
		require.Equal(t, 1, p.Received())
		require.Equal(t, i < 3, p.Accepted == 1)
		require.Equal(t, body, string(p.Messages[0].Raw))
	}
}

func TestParseEmptyBatches(t *testing.T) {
	for _, body := range []string{`[]`, `{"batch":[]}`, ` [ ] `, `{"batch":[],"context":{"a":1}}`} {
		p, refusal := parse(t, body)
		require.Nil(t, refusal, body)
		require.Zero(t, p.Received())
	}
}

func TestParse_EveryMessageInvalid_IsRefused(t *testing.T) {
	for body, index := range map[string]int{`{}`: 0, `5`: 0, `"x"`: 0, `null`: 0, `{"type":"track"}`: 0, `[5,{"type":"track"}]`: 0, `{"batch":"x"}`: 0, `{"batch":[null]}`: 0} {
		_, refusal := parse(t, body)
		require.NotNil(t, refusal, body)
		require.Equal(t, segment.Format.RefusalCode, refusal.Code)
		require.Equal(t, index, refusal.Index)
	}
	p, refusal := parse(t, `[5,{"type":"identify"}]`)
	require.Nil(t, refusal, "one of an ignored type has the shape")
	require.Equal(t, []int{2, 0, 1, 1}, []int{p.Received(), p.Accepted, p.Ignored, p.Invalid})
}

func TestParse_InvalidJSON_IsRefused(t *testing.T) {
	for body, code := range map[string]string{
		"": payload.CodeInvalidJSON, "{": payload.CodeInvalidJSON, track + track: payload.CodeInvalidJSON, "[" + track + ",]": payload.CodeInvalidJSON,
		`[` + track + `,{"a":tru}]`: payload.CodeInvalidJSON, `{"type":"track","event":"E","x":"\x"}`: payload.CodeInvalidJSON,
		`{"type":"track","event":"E","x":{"y":[1,}}`: payload.CodeInvalidJSON,
		"\ufeff" + track: payload.CodeInvalidJSON, "[\"\xff\"]": payload.CodeInvalidUTF8, `{"type":"track","event":"` + "\xc3" + `"}`: payload.CodeInvalidUTF8,
		strings.Repeat("[", 65) + strings.Repeat("]", 65): payload.CodeTooDeep,
	} {
		_, refusal := parse(t, body)
		require.NotNil(t, refusal, body)
		require.Equal(t, code, refusal.Code, body)
	}
}

func TestParse_Depth_CountsThePayload(t *testing.T) {
	properties := func(levels int) string {
		return `{"type":"track","event":"E","properties":` + strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels) + "}"
	}
	for _, c := range []struct {
		body string
		ok   bool
	}{
		{properties(63), true},
		{properties(64), false},
		{"[" + properties(62) + "]", true},
		{"[" + properties(63) + "]", false},
		{`{"batch":[` + properties(61) + `]}`, true},
		{`{"batch":[` + properties(62) + `]}`, false},
	} {
		_, refusal := parse(t, c.body)
		require.Equal(t, c.ok, refusal == nil)
	}
}

func TestParse_AtTheLimits(t *testing.T) {
	limits := payload.Limits{Messages: 3, MessageBytes: len(track), ContextBytes: 10, Depth: 8}
	batch := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(track+",", n), ",") + "]" }

	_, refusal := parseWithin(t, batch(3), limits)
	require.Nil(t, refusal)
	_, refusal = parseWithin(t, batch(4), limits)
	require.Equal(t, payload.CodeTooManyMessages, refusal.Code)
	_, refusal = parseWithin(t, "[1,2,3,4]", limits)
	require.Equal(t, payload.CodeTooManyMessages, refusal.Code, "counted before the shapes matter")
	_, refusal = parseWithin(t, "[1,2,3,4,", limits)
	require.Equal(t, payload.CodeInvalidJSON, refusal.Code, "read before counted")

	p, refusal := parseWithin(t, "["+track+","+track[:len(track)-1]+" }]", limits)
	require.Nil(t, refusal)
	require.Equal(t, []*payload.Reason{payload.Accepted, payload.TooLarge}, []*payload.Reason{p.Messages[0].Reason, p.Messages[1].Reason})

	p, refusal = parseWithin(t, `{"batch":[],"context":{"a":"bc"}}`, limits)
	require.Nil(t, refusal)
	require.Equal(t, `{"a":"bc"}`, string(p.Context))
	_, refusal = parseWithin(t, `{"batch":[],"context":{"a":"bcd"}}`, limits)
	require.Equal(t, payload.CodeContextTooLarge, refusal.Code)
}

func TestParse_MemberBatch_IsBatchOrMessage(t *testing.T) {
	for body, want := range map[string]struct {
		raw      string
		received int
	}{
		`{"batch":[` + track + `],"type":"batch"}`:          {track, 1},
		`{"batch":[` + track + `],"type":5}`:                {track, 1},
		`{"type":"page","batch":[1],"batch":[2]}`:           {`{"type":"page","batch":[1],"batch":[2]}`, 1},
		`{"\u0062atch":[` + track + `]}`:                    {track, 1},
		`{"type":"track","event":"E","batch":[1,2]}`:        {`{"type":"track","event":"E","batch":[1,2]}`, 1},
		`{"batch":[1,2],"type":"track","event":"E","x":[]}`: {`{"batch":[1,2],"type":"track","event":"E","x":[]}`, 1},
	} {
		p, refusal := parse(t, body)
		require.Nil(t, refusal, body)
		require.Equal(t, want.received, p.Received(), body)
		require.Equal(t, want.raw, string(p.Messages[0].Raw))
	}
}

// Of two batches one would be lost after a 200.
func TestParse_SecondBatch_IsRefused(t *testing.T) {
	for _, body := range []string{
		`{"batch":[1,2],"batch":[` + track + `]}`, `{"batch":[` + track + `],"batch":[` + track + `]}`, `{"batch":[` + track + `],"batch":null}`,
		`{"batch":5,"batch":[` + track + `]}`, `{"batch":[],"\u0062atch":[]}`, `{"batch":[` + track + `],"type":"bogus","batch":{}}`,
	} {
		_, refusal := parse(t, body)
		require.NotNil(t, refusal, body)
		require.Equal(t, payload.CodeSecondBatch, refusal.Code)
		require.Equal(t, -1, refusal.Index)
	}
	p := payload.New(&segment.Format)
	require.Error(t, p.Parse([]byte(`{"batch":[],"batch":[]}`), payload.DefaultLimits))
	require.NoError(t, p.Parse([]byte(`{"batch":[`+track+`]}`), payload.DefaultLimits), "the payload before does not count")
}

func TestErrors_ListsTheFirstInvalidMessages(t *testing.T) {
	p := payload.New(&segment.Format)
	require.NoError(t, p.Parse([]byte(`[`+track+`,{"type":"alias"},{"type":"bogus"},`+track+`,5,{"type":"track"}]`), payload.DefaultLimits))
	all := []payload.MessageError{{2, "unknown_type"}, {4, "not_a_message"}, {5, "missing_event"}}
	for limit := range 5 {
		require.Equal(t, len(all[:min(limit, 3)]), len(p.Errors(limit)))
		require.Equal(t, all[:min(limit, 3)], append([]payload.MessageError{}, p.Errors(limit)...))
	}
	require.NoError(t, p.Parse([]byte(`[`+track+`,{"type":"alias"}]`), payload.DefaultLimits))
	require.Nil(t, p.Errors(10))
}

func TestParse_Context_OnlyBesideABatch(t *testing.T) {
	for body, want := range map[string]string{
		`{"context":{"groupId":"g"},"batch":[]}`:                   `{"groupId":"g"}`,
		`{"batch":[],"context":{"a":1},"context":{"b":2}}`:         `{"b":2}`,
		`{"batch":[],"context":"x"}`:                               ``,
		`{"batch":[],"context":null}`:                              ``,
		`{"type":"track","event":"E","context":{"groupId":"g"}}`:   ``,
		`[{"type":"track","event":"E","context":{"groupId":"g"}}]`: ``,
	} {
		p, refusal := parse(t, body)
		require.Nil(t, refusal, body)
		require.Equal(t, want, string(p.Context), body)
	}
}

func TestParse_SecondPayload_ForgetsTheFirst(t *testing.T) {
	p := payload.New(&segment.Format)
	require.NoError(t, p.Parse([]byte(`{"context":{},"batch":[`+track+`,5,{"type":"alias"}]}`), payload.DefaultLimits))
	require.NoError(t, p.Parse([]byte(`[]`), payload.DefaultLimits))
	require.Equal(t, []int{0, 0, 0, 0, 0}, []int{p.Received(), p.Accepted, p.Ignored, p.Invalid, len(p.Messages)})
	require.Nil(t, p.Context)
}

func TestRefusal_QuotesNothing(t *testing.T) {
	for _, body := range []string{`{"email":"canary"`, `{"type":"track","canary":1}`, `[canary]`, `"canary"`, "\"canary\xff\""} {
		_, refusal := parse(t, body)
		require.NotNil(t, refusal)
		require.NotContains(t, fmt.Sprintf("%+v", *refusal), "canary")
	}
}

// FuzzParse compares the split into messages with encoding/json.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		track, "[" + track + "]", `{"batch":[` + track + `,{"type":"identify"},1]}`, `{"batch":[],"type":"page"}`,
		`{"type":"track","properties":{"gf_event_type":"X"}}`, `[`, `{"batch":[{"type":"track","event":"\ud800"}],"context":{"a":{}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p := payload.New(&segment.Format)
		err := p.Parse(body, payload.DefaultLimits)
		var refusal *payload.Refusal
		if errors.As(err, &refusal) && refusal.Code != segment.Format.RefusalCode {
			if refusal.Code == payload.CodeInvalidJSON && json.Valid(body) {
				t.Fatalf("refused valid JSON %q", body)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("took invalid JSON %q", body)
		}
		require.Equal(t, p.Received(), len(p.Messages))
		if err == nil {
			require.Equal(t, p.Received(), p.Accepted+p.Ignored+p.Invalid)
		}
		var elements []json.RawMessage
		if json.Unmarshal(body, &elements) == nil && elements != nil {
			require.Len(t, p.Messages, len(elements))
			for i, e := range elements {
				require.Equal(t, string(e), string(p.Messages[i].Raw))
			}
		}
	})
}

func batchOf(n int) []byte {
	one := `{"type":"track","event":"Order Completed","userId":"user_4711","messageId":"ajs-next-1747562400000-9d7f2c3e-1b2a-4c5d","timestamp":"2026-05-18T12:00:00.000Z","sentAt":"2026-05-18T12:00:00.100Z","context":{"ip":"203.0.113.7","userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36","library":{"name":"analytics.js","version":"2.1.0"},"page":{"path":"/checkout","title":"Checkout","url":"https://shop.example.com/checkout"},"traits":{"email":"ada@example.com","name":"Ada Lovelace"},"groupId":"org_42"},"properties":{"revenue":49.0,"currency":"USD","plan":"pro","products":[{"sku":"A-1","price":19.5,"quantity":2},{"sku":"B-2","price":10}]}}`
	var messages []string
	for i := range n {
		messages = append(messages, strings.Replace(one, "1b2a-4c5d", fmt.Sprintf("1b2a-%04d", i), 1))
	}
	return []byte(`{"batch":[` + strings.Join(messages, ",") + `]}`)
}

func TestParse_AllocatesNothing(t *testing.T) {
	for _, subjects := range []bool{false, true} {
		p := payload.New(&segment.Format)
		p.HashKeys = subjects
		body := batchOf(100)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if p.Parse(body, payload.DefaultLimits) != nil || p.Accepted != 100 {
				t.Fatal("not accepted")
			}
		}))
	}
}

// BenchmarkParse compares with go-json doing less: no check of UTF-8 or depth, and names matched
// whatever their case.
func BenchmarkParse(b *testing.B) {
	body := batchOf(100)
	for name, subjects := range map[string]bool{"segment": false, "segment, with subjects": true} {
		b.Run(name, func(b *testing.B) {
			p := payload.New(&segment.Format)
			p.HashKeys = subjects
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if p.Parse(body, payload.DefaultLimits) != nil || p.Accepted != 100 {
					b.Fatal("not accepted")
				}
			}
		})
	}
	b.Run("go-json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var envelope struct{ Batch []gojson.RawMessage }
			if gojson.Unmarshal(body, &envelope) != nil || len(envelope.Batch) != 100 {
				b.Fatal("not accepted")
			}
			for _, raw := range envelope.Batch {
				var m struct {
					Type, Event string
					Properties  gojson.RawMessage
				}
				if gojson.Unmarshal(raw, &m) != nil || m.Type != "track" {
					b.Fatal("not accepted")
				}
			}
		}
	})
}
