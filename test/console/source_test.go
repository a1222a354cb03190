package console

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// source is a connection as its owner has it: with its URL.
type source struct {
	t                testing.TB
	url, id, product string
}

var idInURL = regexp.MustCompile(`/v1/segment/mr1_([^_]+)_`)

func sourceOf(t testing.TB, url, product string) source {
	t.Helper()
	found := idInURL.FindStringSubmatch(url)
	require.NotNil(t, found, "%q is no URL of a connection", url)
	return source{t, url, found[1], product}
}

var shownURL = regexp.MustCompile(`<code id="url"[^>]*>([^<]+)</code>`)

// connect makes a connection as the form does, for tests that are about something else.
func (m *millrace) connect(t testing.TB, product, name, note string) source {
	t.Helper()
	status, page := send(t, m.Admin+"/console/connections", url.Values{"product": {product}, "name": {name}, "note": {note}}.Encode(),
		"Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, http.StatusOK, status, page)
	found := shownURL.FindStringSubmatch(page)
	require.NotNil(t, found, page)
	return sourceOf(t, found[1], product)
}

// post sends a message and returns the status of the answer. Headers are names and values in turn.
func (s source) post(message string, headers ...string) int {
	s.t.Helper()
	status, _ := send(s.t, s.url, message, headers...)
	return status
}

// tell posts to our own API: "identify", "conversations", "events".
func (s source) tell(what, message string) {
	s.t.Helper()
	status, answer := send(s.t, s.url[:strings.Index(s.url, "/segment/")]+"/"+what, message, "Authorization", "Bearer "+s.token())
	require.Equal(s.t, http.StatusOK, status, answer)
}

// token is the secret in the URL.
func (s source) token() string { return s.url[strings.LastIndex(s.url, "/")+1:] }

func send(t testing.TB, url, body string, headers ...string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	for n := 0; n < len(headers); n += 2 {
		request.Header.Set(headers[n], headers[n+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// ask asks ClickHouse, and returns the answer as tab-separated text.
func (m *millrace) ask(t testing.TB, sql string) string {
	t.Helper()
	status, answer := send(t, m.ClickHouseURL+"/?"+url.Values{"database": {m.Database}}.Encode(), sql)
	require.Equal(t, http.StatusOK, status, answer)
	return strings.TrimSpace(answer)
}

// await asks until the answer is that one.
func (m *millrace) await(t testing.TB, want, sql string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * glance) {
		answer := m.ask(t, sql)
		if answer == want {
			return
		}
		require.True(t, time.Now().Before(deadline), "%s is %s and not %s", sql, answer, want)
	}
}
