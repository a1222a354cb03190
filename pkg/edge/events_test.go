package edge

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/token"
)

const event = `{"eventType":"Order Completed","insertId":"i","externalUserId":"u"}`

// postEvents posts to our own API.
func (r *rig) postEvents(s sender, body string, headers ...string) answer {
	r.Helper()
	return r.post("/v1/events", body, append(headers, "Authorization", "Bearer "+s.token)...)
}

// requireChallenge tells 401 with the scheme that is asked for.
func requireChallenge(t testing.TB, got answer, what string) {
	t.Helper()
	requireAnswer(t, got, http.StatusUnauthorized, saysUnauthorized)
	got.header.Del("Date")
	require.Equal(t, http.Header{"Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(len(saysUnauthorized))}, "Www-Authenticate": {"Bearer"}}, got.header, what)
}

func TestEventsAuthorization(t *testing.T) {
	t.Parallel()
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	guarded := r.create(connection.CreateParams{Secret: token.NewSecret("canary of a secret")})
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER ", "bEaReR  ", " Bearer "} {
		requireAnswer(t, r.post("/v1/events", event, "Authorization", scheme+s.token), 200, accepted(1, 1, 0))
	}
	requireAnswer(t, r.postEvents(guarded, event, "x-greenflash-secret", "canary of a secret"), 200, accepted(1, 1, 0))

	deleted := r.create(connection.CreateParams{})
	require.NoError(t, r.store.Delete(context.Background(), deleted.ID))
	rotated := r.create(connection.CreateParams{})
	renewed, err := r.store.Rotate(context.Background(), rotated.ID)
	require.NoError(t, err)
	r.secrets = append(r.secrets, renewed.Token.Reveal())
	r.settle()
	for what, headers := range map[string][]string{
		"nothing":        nil,
		"empty":          {"Authorization", ""},
		"scheme alone":   {"Authorization", "Bearer"},
		"scheme, space":  {"Authorization", "Bearer "},
		"no scheme":      {"Authorization", s.token},
		"other scheme":   {"Authorization", "Basic " + s.token},
		"longer scheme":  {"Authorization", "Bearers " + s.token},
		"tab":            {"Authorization", "Bearer\t" + s.token},
		"quoted":         {"Authorization", `Bearer "` + s.token + `"`},
		"two tokens":     {"Authorization", "Bearer " + s.token + " " + s.token},
		"two headers":    {"Authorization", "Bearer " + s.token, "Authorization", "Bearer " + s.token},
		"other header":   {"X-Authorization", "Bearer " + s.token},
		"malformed":      {"Authorization", "Bearer canary"},
		"other key":      {"Authorization", "Bearer " + token.NewKey().Mint(s.ID).Reveal()},
		"unknown":        {"Authorization", "Bearer " + r.key.Mint(token.NewConnectionID()).Reveal()},
		"deleted":        {"Authorization", "Bearer " + deleted.token},
		"rotated away":   {"Authorization", "Bearer " + rotated.token},
		"no secret":      {"Authorization", "Bearer " + guarded.token},
		"another secret": {"Authorization", "Bearer " + guarded.token, "x-greenflash-secret", "canary of a secreT"},
	} {
		requireChallenge(t, r.post("/v1/events", event, headers...), what)
	}
	requireChallenge(t, r.post("/v1/events?token="+s.token, event), "in the query")
	require.Empty(t, r.post("/v1/segment/canary", event, "Authorization", "Bearer "+s.token).header.Get("WWW-Authenticate"))
	require.Len(t, r.records(ingest), 6)
}

// The checks are the webhook's, in its order: each row fails two or more and gets the answer of the first.
func TestEventsOrderOfChecks(t *testing.T) {
	t.Parallel()
	r, broker := start(t, small, impatient)
	s := r.create(connection.CreateParams{})
	paused := r.paused(connection.CreateParams{})
	oversize := strings.Repeat("x", 64<<10+1)
	admit := r.service.handler.admit
	full := func() func() {
		admit.requests.Add(admit.maxRequests)
		return func() { admit.requests.Add(-admit.maxRequests) }
	}
	noAcks := func() func() {
		return failRequests(broker, kmsg.Produce, r.writes(ingest), refuseProduce(kerr.InvalidRecord)).mend
	}
	as := func(token string, more ...string) []string { return append(more, "Authorization", "Bearer "+token) }
	for _, row := range []struct {
		fails                string
		during               func() func()
		method, target, body string
		headers              []string
		status               int
		want                 string
	}{
		{"path, method", nil, "GET", "/v1/events/", "", nil, 404, saysNotFound},
		{"method, token", nil, "GET", "/v1/events", "", nil, 405, saysNotPost},
		{"token, overload", full, "POST", "/v1/events", oversize, as("canary"), 401, saysUnauthorized},
		{"paused, overload", full, "POST", "/v1/events", oversize, as(paused.token, "Content-Encoding", "lzma"), 204, ""},
		{"overload, size", full, "POST", "/v1/events", oversize, as(s.token), 429, saysOverloaded},
		{"size, encoding", nil, "POST", "/v1/events", oversize, as(s.token, "Content-Encoding", "lzma"), 413, saysTooLarge},
		{"encoding, JSON", nil, "POST", "/v1/events", "{", as(s.token, "Content-Encoding", "lzma"), 415, saysBadEncoding},
		{"JSON, count", nil, "POST", "/v1/events", "[" + strings.Repeat("0,", 1001), as(s.token), 400, `{"error":{"code":"invalid_json","message":"The body is not valid JSON: see byte 2003."}}`},
		{"count, shape", nil, "POST", "/v1/events", "[" + strings.Repeat("0,", 1000) + "0]", as(s.token), 413, `{"error":{"code":"too_many_messages","message":"The batch has 1001 messages, more than the 1000 allowed: split it."}}`},
		{"shape, broker", noAcks, "POST", "/v1/events", `[{"eventType":"E","eventAt":"now"},5]`, as(s.token), 400,
			`{"error":{"code":"no_valid_event","message":"No element is a valid event; element 0: its eventAt is not a time as in RFC 3339, nor seconds or milliseconds since 1970, of the years 1900 to 2299.","index":0}}`},
		{"broker", noAcks, "POST", "/v1/events", event, as(s.token), 503, saysNotDurable},
		{"none", nil, "POST", "/v1/events", event, as(s.token, "Content-Type", "text/nonsense"), 200, accepted(1, 1, 0)},
	} {
		t.Run(row.fails, func(t *testing.T) {
			if row.during != nil {
				defer row.during()()
			}
			got := r.do(row.method, row.target, strings.NewReader(row.body), row.headers...)
			requireAnswer(t, got, row.status, row.want)
			retry := map[int]string{429: "1", 503: "1"}[row.status]
			require.Equal(t, retry, got.header.Get("Retry-After"))
			require.Equal(t, map[int]string{405: "POST"}[row.status], got.header.Get("Allow"))
		})
	}
	r.requireNothingHeld()
}

func TestEventsShapes(t *testing.T) {
	t.Parallel()
	r, _ := start(t)
	s := r.create(connection.CreateParams{WorkspaceID: "the workspace", ProductID: "the product"})
	const odd = "{ \"eventType\" : \"Gr\\u00f6\u00dfe 😀\",\n\t\"value\":1.50e+02 }" // every byte counts
	before := time.Now().UnixMicro()
	var want []string
	for _, row := range []struct {
		body   string
		values []string
	}{
		{odd, []string{odd}}, {" \r\n" + event + "\n", []string{event}}, {"[" + odd + " , " + event + "]", []string{odd, event}},
		{`{"batch":[` + event + `,` + odd + `],"context":{"ip":1}}`, []string{event, odd}}, {"[]", nil}, {`{"batch":[]}`, nil},
	} {
		requireAnswer(t, r.postEvents(s, row.body), 200, accepted(len(row.values), len(row.values), 0))
		want = append(want, row.values...)
	}
	requireAnswer(t, r.postEvents(s, pack(t, "zstd", event), "Content-Encoding", "zstd"), 200, accepted(1, 1, 0))
	want = append(want, event)
	written := r.records(ingest)
	require.Equal(t, want, values(written))
	require.Empty(t, r.records(deadLetters))
	last := before - 1
	for _, record := range written {
		got, at := headers(record)
		require.Equal(t, "the product", string(record.Key))
		require.Equal(t, map[string]string{"kind": "event", "workspace": "the workspace", "connection": s.ID, "provider": "api"}, got)
		require.Greater(t, at, last)
		last = at
	}
	r.requireMetric("messages_accepted_total", fmt.Sprint(len(want)))
	r.requireNothingHeld()
}

func TestEventsDeadLetters(t *testing.T) {
	t.Parallel()
	r, _ := start(t)
	s := r.create(connection.CreateParams{WorkspaceID: "w", ProductID: "p"})
	large := `{"eventType":"e","properties":{"x":"` + strings.Repeat("x", 513<<10) + `"}}`
	bad := []struct{ raw, reason string }{
		{`17`, "not_an_event"}, {`{"type":"track","event":"e"}`, "missing_event_type"}, {`{"eventType":"e","eventAt":"soon" }`, "invalid_event_at"},
		{`{"eventType":"e","userHints":{"email":"nobody"}}`, "invalid_email"}, {`{"eventType":"e","properties":[]}`, "invalid_properties"}, {large, "message_too_large"},
	}
	body := event
	for _, b := range bad {
		body += "," + b.raw
	}
	requireAnswer(t, r.postEvents(s, "["+body+"]"), 200, accepted(7, 1, 6))
	require.Equal(t, []string{event}, values(r.records(ingest)))
	letters := r.records(deadLetters)
	require.Len(t, letters, len(bad))
	for i, letter := range letters {
		got, _ := headers(letter)
		require.NotEmpty(t, got["detail"])
		delete(got, "detail")
		require.True(t, bad[i].raw == string(letter.Value), "letter %d is not whole", i)
		require.Equal(t, map[string]string{"kind": "dead_letter", "workspace": "w", "connection": s.ID, "provider": "api", "reason": bad[i].reason}, got)
		r.requireMetric(`messages_dead_total{reason="`+bad[i].reason+`"}`, "1")
	}
	r.requireMetric("messages_accepted_total", "1")
	r.requireNothingHeld()
}
