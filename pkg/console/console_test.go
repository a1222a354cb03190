package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/console/query"
	"github.com/millrace/millrace/pkg/token"
)

func TestNothingInAMessageBeginsAField(t *testing.T) {
	w := httptest.NewRecorder()
	s := &eventStream{w: w, controller: http.NewResponseController(w)}
	require.NoError(t, s.send("cells", "<b>a\rdata: x\nid: 1\r\n\revent: evil\n\nretry: 1</b>"))
	for _, line := range strings.FieldsFunc(w.Body.String(), func(r rune) bool { return r == '\r' || r == '\n' }) {
		require.True(t, strings.HasPrefix(line, "data: ") || line == "event: cells", "%q", line)
	}
	require.NotContains(t, w.Body.String(), "\r")
	require.Equal(t, 1, strings.Count(w.Body.String(), "\n\n"), "and none ends the event")
}

func TestNumbersAndTimes(t *testing.T) {
	for n, want := range map[any]string{0: "0", 999: "999", 1000: "1\u202F000", uint64(1234567): "1\u202F234\u202F567", int64(-12345): "-12\u202F345"} {
		require.Equal(t, want, count(n))
	}
	now := time.Now()
	for past, want := range map[time.Duration]string{time.Second: "just now", 30 * time.Second: "30 s ago", 5 * time.Minute: "5 min ago", 3 * time.Hour: "3 h ago", 72 * time.Hour: "3 days ago"} {
		require.Equal(t, want, ago(now.Add(-past)))
	}
	require.Equal(t, "never", ago(time.Time{}))
}

func TestLinksChangeOneChoice(t *testing.T) {
	within, err := query.Last("1h", time.Now())
	require.NoError(t, err)
	s := newRangeForm("/console/dead-letters", url.Values{"product": {"a&b"}, "from": {"2026-01-01T00:00"}, "after": {"x"}, "offset": {"7"}}, within, "")
	require.Equal(t, "/console/dead-letters?product=a%26b&range=1h", s.Link("range", "1h"), "a preset is instead of a range of one's own, and begins at the first page")
	require.Equal(t, "/console/dead-letters?from=2026-01-01T00%3A00&product=a%26b&reason=r", s.Link("reason", "r"))
	require.Equal(t, "/console/dead-letters?from=2026-01-01T00%3A00", s.Link("product", ""))
}

func TestTokensAreKeptForAWhileOnly(t *testing.T) {
	f := newTokenCache()
	require.True(t, f.get("a").IsZero())
	f.put("a", token.NewSecret("t"))
	require.Equal(t, "t", f.get("a").Reveal())
	f.byConnection["a"] = cachedToken{f.byConnection["a"].token, time.Now().Add(-time.Second)}
	require.True(t, f.get("a").IsZero(), "its time is over")
	for n := range maxCachedTokens + 10 {
		f.put(fmt.Sprint(n), token.NewSecret("t"))
		require.LessOrEqual(t, len(f.byConnection), maxCachedTokens)
	}
	f.remove(fmt.Sprint(maxCachedTokens + 9))
	require.True(t, f.get(fmt.Sprint(maxCachedTokens+9)).IsZero())
}

func TestATestGoesToOurEdgeOnly(t *testing.T) {
	var asked []string
	edge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+" "+r.Header.Get("x-greenflash-secret"))
		w.WriteHeader(http.StatusOK)
	}))
	defer edge.Close()
	c := &Console{deps: Deps{EdgeURL: edge.URL}, tokens: newTokenCache(), edgeClient: edge.Client()}
	send := func(form url.Values) testBody {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetPathValue("id", "c1")
		require.NoError(t, r.ParseForm())
		return c.test(r)
	}
	for _, bad := range []string{"", "https://elsewhere/x", "https://elsewhere/v1/segment/", "https://elsewhere/v1/segment/mr1_c1_a/../../b", "x/v1/segment/mr1_c1_a?b", "x/v1/segment/mr1_other_a"} {
		require.NotEmpty(t, send(url.Values{"url": {bad}}).Problem, bad)
	}
	require.Empty(t, asked)
	require.Equal(t, 200, send(url.Values{"url": {" https://elsewhere/v1/segment/mr1_c1_abc "}, "secret": {"s"}}).Status)
	c.tokens.put("c1", token.NewSecret("mr1_c1_kept"))
	require.Equal(t, 200, send(url.Values{}).Status)
	require.Equal(t, []string{"/v1/segment/mr1_c1_abc s", "/v1/segment/mr1_c1_kept "}, asked)
	require.NotEmpty(t, send(url.Values{"message": {strings.Repeat("x", maxTestMessageBytes+1)}}).Problem)
	edge.Close()
	require.NotContains(t, send(url.Values{}).Problem, "kept", "no token in what is said")
}

func TestWhatAMessageWouldBecome(t *testing.T) {
	var body whatifBody
	require.NoError(t, body.explain([]byte(`{"context":{"traits":{"email":"a@b.c"}},"batch":[{"type":"track","event":"Signed Up","userId":"u"},{"type":"identify"},{"type":"track"}]}`)))
	require.Len(t, body.Messages, 3)
	require.NotEmpty(t, body.Messages[0].Fields)
	require.Equal(t, "ignored_type", body.Messages[1].Code)
	require.Equal(t, "missing_event", body.Messages[2].Code)
	require.Error(t, (&whatifBody{}).explain([]byte(`{`)))
	body = whatifBody{}
	require.NoError(t, body.explain([]byte("["+strings.Repeat(`{"type":"page"},`, 11)+`{"type":"page"}]`)))
	require.Len(t, body.Messages, maxExplained)
	require.Equal(t, 2, body.More)
}

func TestWhatIsStoredNowhereIsCounted(t *testing.T) {
	before := connection.Counts{Accepted: 1, Ignored: 5, Paused: 2}
	require.Zero(t, droppedSince(&before, &connection.Counts{Accepted: 9, Ignored: 5, Paused: 2}))
	require.Zero(t, droppedSince(&before, &connection.Counts{Ignored: 1}), "an edge's counts were left out")
	gone := droppedSince(&before, &connection.Counts{Ignored: 8, Paused: 3})
	require.Equal(t, []uint64{3, 1}, []uint64{gone.Ignored, gone.Paused})
}
