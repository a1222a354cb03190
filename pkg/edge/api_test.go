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

const (
	event    = `{"eventType":"Order Completed","insertId":"i","externalUserId":"u"}`
	identify = `{"externalUserId":"u","email":"ada@example.com"}`
	activity = `{"externalConversationId":"c","externalUserId":"u"}`
)

// apiEndpoint is one endpoint of our own API. What is true of one of them is true of all.
type apiEndpoint struct {
	path, kind string
	good       string
	odd        string // good, and every byte counts
	bad        []struct{ raw, reason string }
	refused    string // what is said of a body that begins with the last of the bad
}

const notATime = "is not a time: as in RFC 3339 or RFC 1123, or seconds, milli-, micro- or nanoseconds since 1970"

var apis = []apiEndpoint{
	{
		"/v1/events", "event", event, "{ \"eventType\" : \"Gr\\u00f6\u00dfe 😀\",\n\t\"value\":1.50e+02 }",
		[]struct{ raw, reason string }{
			{`17`, "not_an_event"},
			{`{"type":"track","event":"e"}`, "missing_event_type"},
			{`{"eventType":"e","userHints":{"email":"nobody"}}`, "invalid_email"},
			{`{"eventType":"e","properties":[]}`, "invalid_properties"},
			{`{"eventType":"e","properties":` + large + `}`, "message_too_large"},
			{`{"eventType":"e","eventAt":"soon" }`, "invalid_event_at"},
		},
		`{"error":{"code":"no_valid_event","message":"No element is a valid event; element 0: its eventAt ` + notATime + `.","index":0}}`,
	},
	{
		"/v1/identify", "identify", identify, "{ \"email\" : \"\\u0061@b.c\",\n\t\"name\":\"Gr\u00f6\u00dfe 😀\",\"batch\":[1.50e+02] }",
		[]struct{ raw, reason string }{
			{`[]`, "not_an_object"},
			{`{"name":"n"}`, "missing_user"},
			{`{"email":"nobody"}`, "invalid_email"},
			{`{"externalUserId":{}}`, "invalid_external_user_id"},
			{`{"externalUserId":"u","properties":` + large + `}`, "message_too_large"},
			{`{"externalUserId":"u","timestamp":"soon" }`, "invalid_timestamp"},
		},
		`{"error":{"code":"no_valid_identify","message":"No element is a valid identify call; element 0: its timestamp ` + notATime + `.","index":0}}`,
	},
	{
		"/v1/conversations", "conversation", activity, "{ \"externalConversationId\" : \"\\u0061\u00df😀\",\n\t\"properties\":{ \"n\":1.50e+02} }",
		[]struct{ raw, reason string }{
			{`null`, "not_an_object"},
			{`{"externalUserId":"u"}`, "missing_external_conversation_id"},
			{`{"externalConversationId":"c","email":"nobody"}`, "invalid_email"},
			{`{"externalConversationId":"c","properties":` + large + `}`, "message_too_large"},
			{`{"externalConversationId":"c","timestamp":"soon" }`, "invalid_timestamp"},
		},
		`{"error":{"code":"no_valid_activity","message":"No element is a valid activity of a conversation; element 0: its timestamp ` + notATime + `.","index":0}}`,
	},
}

// large is an object over the limit of a message.
var large = `{"x":"` + strings.Repeat("x", 513<<10) + `"}`

// forEachAPI runs a test for each endpoint.
func forEachAPI(t *testing.T, test func(*testing.T, *apiEndpoint)) {
	t.Parallel()
	for i := range apis {
		t.Run(apis[i].path, func(t *testing.T) {
			t.Parallel()
			test(t, &apis[i])
		})
	}
}

// postAs posts to our own API.
func (r *rig) postAs(s sender, path, body string, headers ...string) answer {
	r.Helper()
	return r.post(path, body, append(headers, "Authorization", "Bearer "+s.token)...)
}

// requireChallenge tells 401 with the scheme that is asked for.
func requireChallenge(t testing.TB, got answer, what string) {
	t.Helper()
	requireAnswer(t, got, http.StatusUnauthorized, saysUnauthorized)
	got.header.Del("Date")
	require.Equal(t, http.Header{"Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(len(saysUnauthorized))}, "Www-Authenticate": {"Bearer"}}, got.header, what)
}

func TestAPIAuthorization(t *testing.T) { forEachAPI(t, testAuthorization) }

func testAuthorization(t *testing.T, a *apiEndpoint) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	guarded := r.create(connection.CreateParams{Secret: token.NewSecret("canary of a secret")})
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER ", "bEaReR  ", " Bearer "} {
		requireAnswer(t, r.post(a.path, a.good, "Authorization", scheme+s.token), 200, accepted(1, 1, 0))
	}
	requireAnswer(t, r.postAs(guarded, a.path, a.good, "x-greenflash-secret", "canary of a secret"), 200, accepted(1, 1, 0))

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
		requireChallenge(t, r.post(a.path, a.good, headers...), what)
	}
	requireChallenge(t, r.post(a.path+"?token="+s.token, a.good), "in the query")
	require.Empty(t, r.post("/v1/segment/canary", track, "Authorization", "Bearer "+s.token).header.Get("WWW-Authenticate"))
	require.Len(t, r.records(ingest), 6)
}

// The checks are the webhook's, in its order: each row fails two or more and gets the answer of the first.
func TestAPIOrderOfChecks(t *testing.T) { forEachAPI(t, testOrderOfChecks) }

func testOrderOfChecks(t *testing.T, a *apiEndpoint) {
	r, broker := start(t, small, impatient)
	s := r.create(connection.CreateParams{})
	paused := r.paused(connection.CreateParams{})
	oversize := strings.Repeat("x", 64<<10+1)
	shapeless := "[" + a.bad[len(a.bad)-1].raw + ",5]"
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
		{"path, method", nil, "GET", a.path + "/", "", nil, 404, saysNotFound},
		{"method, token", nil, "GET", a.path, "", nil, 405, saysNotPost},
		{"token, overload", full, "POST", a.path, oversize, as("canary"), 401, saysUnauthorized},
		{"paused, overload", full, "POST", a.path, oversize, as(paused.token, "Content-Encoding", "lzma"), 204, ""},
		{"overload, size", full, "POST", a.path, oversize, as(s.token), 429, saysOverloaded},
		{"size, encoding", nil, "POST", a.path, oversize, as(s.token, "Content-Encoding", "lzma"), 413, saysTooLarge},
		{"encoding, JSON", nil, "POST", a.path, "{", as(s.token, "Content-Encoding", "lzma"), 415, saysBadEncoding},
		{"JSON, count", nil, "POST", a.path, "[" + strings.Repeat("0,", 1001), as(s.token), 400, `{"error":{"code":"invalid_json","message":"The body is not valid JSON: see byte 2003."}}`},
		{"count, shape", nil, "POST", a.path, "[" + strings.Repeat("0,", 1000) + "0]", as(s.token), 413, `{"error":{"code":"too_many_messages","message":"The batch has 1001 messages, more than the 1000 allowed: split it."}}`},
		{"shape, broker", noAcks, "POST", a.path, shapeless, as(s.token), 400, a.refused},
		{"broker", noAcks, "POST", a.path, a.good, as(s.token), 503, saysNotDurable},
		{"none", nil, "POST", a.path, a.good, as(s.token, "Content-Type", "text/nonsense"), 200, accepted(1, 1, 0)},
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

func TestAPIShapes(t *testing.T) { forEachAPI(t, testShapes) }

func testShapes(t *testing.T, a *apiEndpoint) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{WorkspaceID: "the workspace", ProductID: "the product"})
	before := time.Now().UnixMicro()
	var want []string
	for _, row := range []struct {
		body   string
		values []string
	}{
		{a.odd, []string{a.odd}},
		{" \r\n" + a.good + "\n", []string{a.good}},
		{"[" + a.odd + " , " + a.good + "]", []string{a.odd, a.good}},
		{`{"batch":[` + a.good + `,` + a.odd + `],"context":{"ip":1}}`, []string{a.good, a.odd}},
		{"[]", nil},
		{`{"batch":[]}`, nil},
	} {
		requireAnswer(t, r.postAs(s, a.path, row.body), 200, accepted(len(row.values), len(row.values), 0))
		want = append(want, row.values...)
	}
	requireAnswer(t, r.postAs(s, a.path, pack(t, "zstd", a.good), "Content-Encoding", "zstd"), 200, accepted(1, 1, 0))
	want = append(want, a.good)
	written := r.records(ingest)
	require.Equal(t, want, values(written))
	require.Empty(t, r.records(deadLetters))
	last := before - 1
	for _, record := range written {
		got, at := headers(record)
		require.Equal(t, "the workspace\x00the product", string(record.Key))
		require.Equal(t, map[string]string{"kind": a.kind, "workspace": "the workspace", "connection": s.ID, "provider": "api"}, got)
		require.Greater(t, at, last)
		last = at
	}
	r.requireMetric("messages_accepted_total", fmt.Sprint(len(want)))
	r.requireNothingHeld()
}

func TestAPIDeadLetters(t *testing.T) { forEachAPI(t, testDeadLetters) }

func testDeadLetters(t *testing.T, a *apiEndpoint) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{WorkspaceID: "w", ProductID: "p"})
	body := a.good
	var errors []any
	for i, b := range a.bad {
		body += "," + b.raw
		errors = append(errors, i+1, b.reason)
	}
	requireAnswer(t, r.postAs(s, a.path, "["+body+"]"), 200, listing(accepted(len(a.bad)+1, 1, len(a.bad)), errors...))
	require.Equal(t, []string{a.good}, values(r.records(ingest)))
	letters := r.records(deadLetters)
	require.Len(t, letters, len(a.bad))
	for i, letter := range letters {
		got, _ := headers(letter)
		require.NotEmpty(t, got["detail"])
		delete(got, "detail")
		require.True(t, a.bad[i].raw == string(letter.Value), "letter %d is not whole", i)
		require.Equal(t, map[string]string{"kind": "dead_letter", "workspace": "w", "connection": s.ID, "provider": "api", "original_kind": a.kind, "reason": a.bad[i].reason}, got)
		r.requireMetric(`dead_letters_total{reason="`+a.bad[i].reason+`"}`, "1")
	}
	r.requireMetric("messages_accepted_total", "1")
	r.requireNothingHeld()
}

// An insertId makes two events one; to say something twice about a user or a conversation is no repeat.
func TestAPI_DuplicateInARequest_IsStoredOnce(t *testing.T) {
	t.Parallel()
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	for i, a := range apis {
		requireAnswer(t, r.postAs(s, a.path, "["+a.good+","+a.good+"]"), 200, accepted(2, 2, 0))
		require.Len(t, r.records(ingest), 1+2*i, a.path)
	}
}
