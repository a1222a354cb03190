package edge

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/token"
)

// small is a body limit that tests reach with little.
func small(c *Config) { c.MaxBodyBytes = 64 << 10 }

// The checks in their order. Each row fails two that stand next to each other, or more, and gets the
// answer of the first.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	r, broker := start(t, small, func(c *Config) { c.Producer.ProduceTimeout = time.Second })
	s := r.create(connection.CreateParams{})
	guarded := r.create(connection.CreateParams{Secret: token.NewSecret("canary of a secret")})
	paused := r.paused(connection.CreateParams{Secret: token.NewSecret("canary of a secret")})

	unknown := "/v1/segment/" + r.key.Mint(token.NewConnectionID()).Reveal()
	malformed := "/v1/segment/canary"
	oversize := strings.Repeat("x", 64<<10+1)
	tooMany := "[" + strings.Repeat("0,", 1000) + "0]" // and no message at all among them
	broken := `[{"type":"track"},`
	const json = "application/json"

	admit := r.service.handler.admit
	full := func() func() {
		admit.requests.Add(admit.maxRequests)
		return func() { admit.requests.Add(-admit.maxRequests) }
	}
	fullOfBytes := func() func() {
		admit.bytes.Add(admit.maxBytes)
		return func() { admit.bytes.Add(-admit.maxBytes) }
	}
	noAcks := func() func() {
		f := failRequests(broker, kmsg.Produce, r.writes(ingest), func(*kmsg.ProduceRequest) (kmsg.Response, error) { return nil, errFault })
		return f.mend
	}
	for _, row := range []struct {
		fails                string
		during               func() func()
		method, target, body string
		headers              []string
		status               int
		want                 string
	}{
		{"1 path, 2 method", nil, "GET", "/v1/other/" + s.token, "", nil, 404, saysNotFound},
		{"1 path, 3 token", nil, "POST", "/v1/segment/x/", "", nil, 404, saysNotFound},
		{"2 method, 3 token", nil, "GET", malformed, "", nil, 405, saysNotPost},
		{"2 method, 8 size", nil, "PUT", s.path(), oversize, nil, 405, saysNotPost},
		{"3 token, 8 size", nil, "POST", malformed, oversize, nil, 401, saysUnauthorized},
		{"5 unknown token, 7 overload", full, "POST", unknown, track, nil, 401, saysUnauthorized},
		{"5 unknown token, 8 size", nil, "POST", unknown, oversize, nil, 401, saysUnauthorized},
		{"5 no secret, 8 size", nil, "POST", guarded.path(), oversize, nil, 401, saysUnauthorized},
		{"5 wrong secret, 10 JSON", nil, "POST", guarded.path(), broken, []string{"x-greenflash-secret", "wrong"}, 401, saysUnauthorized},
		{"5 wrong secret, 6 paused", nil, "POST", paused.path(), track, []string{"x-greenflash-secret", "wrong"}, 401, saysUnauthorized},
		{"6 paused, 7 overload", full, "POST", paused.path(), track, []string{"x-greenflash-secret", "canary of a secret"}, 204, ""},
		{"6 paused, 8 size, 10 JSON", nil, "POST", paused.path(), oversize, []string{"x-greenflash-secret", "canary of a secret"}, 204, ""},
		{"6 paused, 9 encoding", nil, "POST", paused.path(), track, []string{"x-greenflash-secret", "canary of a secret", "Content-Encoding", "lzma"}, 204, ""},
		{"7 requests, 8 size", full, "POST", s.path(), oversize, nil, 429, saysOverloaded},
		{"7 bytes, 8 size", fullOfBytes, "POST", s.path(), oversize, nil, 429, saysOverloaded},
		{"7 bytes, 9 encoding", fullOfBytes, "POST", s.path(), track, []string{"Content-Encoding", "lzma"}, 429, saysOverloaded},
		{"8 size, 9 encoding", nil, "POST", s.path(), oversize, []string{"Content-Encoding", "lzma"}, 413, saysTooLarge},
		{"8 size, 10 JSON", nil, "POST", s.path(), oversize, nil, 413, saysTooLarge},
		{"9 encoding, 10 JSON", nil, "POST", s.path(), broken, []string{"Content-Encoding", "lzma"}, 415, saysBadEncoding},
		{"10 JSON, 11 count", nil, "POST", s.path(), tooMany + ",", nil, 400, `{"error":{"code":"invalid_json","message":"The body is not valid JSON: see byte 2003."}}`},
		{"11 count, 12 shape", nil, "POST", s.path(), tooMany, nil, 413, `{"error":{"code":"too_many_messages","message":"The batch has 1001 messages, more than the 1000 allowed: split it."}}`},
		{"12 shape, 13 broker", noAcks, "POST", s.path(), `[{"type":"track"},7]`, nil, 400, `{"error":{"code":"not_a_segment_payload","message":"No element is a valid Segment message; element 0: a track message needs a non-empty string as its event, or a gf_event_type.","index":0}}`},
		{"13 broker", noAcks, "POST", s.path(), track, nil, 503, saysNotDurable},
		{"none", nil, "POST", s.path(), track, []string{"Content-Type", "text/nonsense", "x-greenflash-secret", "not asked for"}, 200, accepted(1, 1, 0)},
		{"none, with the secret", nil, "POST", guarded.path(), track, []string{"X-GREENFLASH-SECRET", "canary of a secret", "Content-Type", json}, 200, accepted(1, 1, 0)},
	} {
		t.Run(row.fails, func(t *testing.T) {
			if row.during != nil {
				defer row.during()()
			}
			got := r.do(row.method, row.target, strings.NewReader(row.body), row.headers...)
			requireAnswer(t, got, row.status, row.want)
			retry := ""
			if row.status == 429 || row.status == 503 {
				retry = "1"
			}
			require.Equal(t, retry, got.header.Get("Retry-After"))
		})
	}
	r.requireMetric(`requests_total{code="",status="204"}`, "3")
	r.requireMetric(`requests_total{code="overloaded",status="429"}`, "3")
	r.requireMetric(`requests_total{code="unauthorized",status="401"}`, "6")
	r.requireMetric(`requests_total{code="",status="200"}`, "2")
	r.requireNothingHeld()
}

// All that is wrong with a token or a secret gets the same bytes.
func TestUnauthorized_SameBodyForAllCauses(t *testing.T) {
	t.Parallel()
	r, _ := start(t)
	s := r.create(connection.CreateParams{Secret: token.NewSecret("canary of a secret")})
	deleted := r.create(connection.CreateParams{})
	requireAnswer(t, r.post(deleted.path(), track), 200, accepted(1, 1, 0))
	require.NoError(t, r.store.Delete(context.Background(), deleted.ID))
	rotated := r.create(connection.CreateParams{})
	requireAnswer(t, r.post(rotated.path(), track), 200, accepted(1, 1, 0))
	renewed, err := r.store.Rotate(context.Background(), rotated.ID)
	require.NoError(t, err)
	r.secrets = append(r.secrets, renewed.Token.Reveal())
	r.settle()

	last := s.token[len(s.token)-1]
	for what, got := range map[string]answer{
		"other key":     r.post("/v1/segment/"+token.NewKey().Mint(s.ID).Reveal(), track),
		"unknown":       r.post("/v1/segment/"+r.key.Mint(token.NewConnectionID()).Reveal(), track),
		"other secret":  r.post("/v1/segment/"+r.key.Mint(rotated.ID).Reveal(), track),
		"check digit":   r.post(fmt.Sprintf("/v1/segment/%s%c", s.token[:len(s.token)-1], last^1), track),
		"longer":        r.post(s.path()+"a", track),
		"escaped":       r.post(strings.Replace(s.path(), "_", "%5F", 1), track),
		"deleted":       r.post(deleted.path(), track),
		"rotated away":  r.post(rotated.path(), track),
		"no secret":     r.post(s.path(), track),
		"empty secret":  r.post(s.path(), track, "X-Greenflash-Secret", ""),
		"wrong secret":  r.post(s.path(), track, "X-Greenflash-Secret", "canary of a secreT"),
		"longer secret": r.post(s.path(), track, "X-Greenflash-Secret", "canary of a secret"+strings.Repeat("x", 300)),
	} {
		requireAnswer(t, got, http.StatusUnauthorized, saysUnauthorized)
		got.header.Del("Date")
		require.Equal(t, http.Header{"Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(len(saysUnauthorized))}}, got.header, what)
	}
	requireAnswer(t, r.post(s.path(), track, "X-Greenflash-Secret", "canary of a secret"), 200, accepted(1, 1, 0))
	requireAnswer(t, r.post("/v1/segment/"+renewed.Token.Reveal(), track), 200, accepted(1, 1, 0))
}

// Disconnected answers like paused, and either ends without a new token.
func TestPausedAndDisconnected(t *testing.T) {
	t.Parallel()
	r := startAlsoOnKafka(t)
	s := r.create(connection.CreateParams{})
	ctx := context.Background()
	for _, change := range []func(context.Context, string) (*connection.Connection, error){r.store.Pause, r.store.Disconnect} {
		_, err := change(ctx, s.ID)
		require.NoError(t, err)
		r.settle()
		for _, body := range []string{track, "", "no JSON", "[" + strings.Repeat("0,", 2000) + "0]"} {
			got := r.post(s.path(), body)
			requireAnswer(t, got, http.StatusNoContent, "")
			require.Empty(t, got.header.Get("Content-Type"))
		}
		_, err = r.store.Resume(ctx, s.ID)
		require.NoError(t, err)
		r.settle()
		requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	}
	r.requireMetric(`requests_total{code="",status="204"}`, "8")
	require.Len(t, r.records(ingest), 2)
}
