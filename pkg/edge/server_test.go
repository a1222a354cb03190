package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/connection"
)

// request is one as it goes over the wire.
func request(target, body string, headers ...string) string {
	text := "POST " + target + " HTTP/1.1\r\nHost: x\r\n"
	for _, h := range headers {
		text += h + "\r\n"
	}
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", text, len(body), body)
}

// answers reads n answers off a connection.
func (r *rig) answersOf(c net.Conn, n int) (all []answer) {
	r.Helper()
	reader := bufio.NewReader(c)
	for range n {
		response, err := http.ReadResponse(reader, nil)
		require.NoError(r, err)
		all = append(all, r.read("/v1/segment/", response))
	}
	return all
}

// requireClosed fails if the edge keeps the connection open, or says more.
func requireClosed(t testing.TB, c net.Conn) {
	t.Helper()
	rest, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Empty(t, rest)
}

func TestPipelinedRequests(t *testing.T) {
	r, _ := start(t, small)
	s := r.create(connection.CreateParams{})
	c := r.dial()
	chunked := "POST " + s.path() + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
		fmt.Sprintf("%x\r\n%s\r\n%x;ext=1\r\n%s\r\n0\r\n\r\n", 10, track[:10], len(track)-10, track[10:])
	requests := []string{
		request(s.path(), track),
		request("/v1/segment/canary", strings.Repeat("x", 20<<10)), // refused before its body is read
		request(s.path(), "["+track+","+track+"]"),
		request(s.path(), strings.Repeat("x", 200<<10)), // too large
		chunked,
		request(s.path(), "", "Content-Encoding: lzma"),
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		request(s.path(), track),
	}
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, strings.Join(requests, ""))
		sent <- err
	}()
	got := r.answersOf(c, len(requests))
	require.NoError(t, <-sent)
	for i, want := range []answer{
		{status: 200, body: accepted(1, 1, 0)},
		{status: 401, body: saysUnauthorized},
		{status: 200, body: accepted(2, 2, 0)},
		{status: 413, body: saysTooLarge},
		{status: 200, body: accepted(1, 1, 0)},
		{status: 415, body: saysBadEncoding},
		{status: 404, body: saysNotFound},
		{status: 200, body: accepted(1, 1, 0)},
	} {
		requireAnswer(t, got[i], want.status, want.body)
		require.False(t, got[i].closes)
	}
	require.Len(t, r.records(ingest), 5)
}

func TestOldHTTP(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	got := r.raw(strings.Replace(request(s.path(), track), "HTTP/1.1", "HTTP/1.0", 1))
	require.Contains(t, got, " 200 OK\r\n")
	require.Contains(t, got, accepted(1, 1, 0))
	got = r.raw(strings.Replace(request("/v1/segment/canary", track), "HTTP/1.1", "HTTP/1.0", 1))
	require.Contains(t, got, " 401 ")
}

func TestExpectContinue(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	c := r.dial()
	head, body, _ := strings.Cut(request(s.path(), track, "Expect: 100-continue", "Connection: close"), "\r\n\r\n")
	_, err := io.WriteString(c, head+"\r\n\r\n")
	require.NoError(t, err)
	reader := bufio.NewReader(c)
	line, err := reader.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = reader.ReadString('\n')
	require.NoError(t, err)
	_, err = io.WriteString(c, body)
	require.NoError(t, err)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	requireAnswer(t, r.read("/v1/segment/", response), 200, accepted(1, 1, 0))
}

func TestInvalidHTTP_IsAnswered(t *testing.T) {
	r, _ := start(t, func(c *Config) { c.MaxHeaderBytes = 4096 })
	s := r.create(connection.CreateParams{})
	for name, row := range map[string]struct{ text, status, body string }{
		"garbage":           {"canary canary canary\r\n\r\n", " 400 ", saysBadRequest},
		"TLS":               {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + s.token + "\r\n\r\n", " 400 ", saysBadRequest},
		"HTTP/2":            {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", " 400 ", saysBadRequest},
		"bad length":        {"POST " + s.path() + " HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", " 400 ", saysBadRequest},
		"two lengths":       {"POST " + s.path() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", " 400 ", saysBadRequest},
		"length and chunks": {"POST " + s.path() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", " 400 ", `{"error":{"code":"invalid_json","message":"The body is not valid JSON: see byte 0."}}`}, // chunks count, and the connection ends
		"bad header":        {"POST " + s.path() + " HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n", " 400 ", saysBadRequest},
		"bad chunk":         {"POST " + s.path() + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n", " 400 ", saysTruncated},
		"long target":       {"POST " + s.path() + strings.Repeat("x", 5000) + " HTTP/1.1\r\nHost: x\r\n\r\n", " 431 ", saysHeaders},
		"long header":       {request(s.path(), track, "X-Long: "+strings.Repeat("x", 5000)), " 431 ", saysHeaders},
	} {
		t.Run(name, func(t *testing.T) {
			c := r.dial()
			_, err := io.WriteString(c, row.text)
			require.NoError(t, err)
			got, _ := io.ReadAll(c) // may end with a reset: not all that was sent is read
			_, _ = r.answers.Write(got)
			require.Contains(t, string(got), row.status)
			require.True(t, strings.HasSuffix(string(got), row.body), string(got))
			require.Contains(t, string(got), "Connection: close\r\n")
		})
	}
	r.requireMetric("http_errors_total", "8")
	r.requireMetric(`requests_total{code="headers_too_large",status="431"}`, "2")
	require.NotContains(t, r.logs.String(), "canary")
	require.NotContains(t, r.answers.String(), "canary")
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	require.Len(t, r.records(ingest), 1)
}

func TestTruncatedBody(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	for name, row := range map[string]struct{ text, body string }{
		"short":   {request(s.path(), track)[:len(request(s.path(), track))-5], saysTruncated},
		"long":    {request(s.path(), padded(100<<10))[:50<<10], saysTruncated},
		"chunked": {"POST " + s.path() + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n" + track, saysTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			c := r.dial()
			_, err := io.WriteString(c, row.text)
			require.NoError(t, err)
			require.NoError(t, c.(*net.TCPConn).CloseWrite())
			requireAnswer(t, r.answersOf(c, 1)[0], 400, row.body)
		})
	}
	require.Empty(t, r.records(ingest))
	r.requireNothingHeld()
}

// The time to send a request in begins with the request.
func TestConnection_OpenedAheadOfUse_IsKept(t *testing.T) {
	t.Parallel()
	r, _ := start(t, func(c *Config) { c.ReadTimeout = 4 * time.Second })
	s := r.create(connection.CreateParams{})
	c := r.dial()
	text := request(s.path(), track)
	time.Sleep(3 * time.Second)
	_, err := io.WriteString(c, text[:len(text)-10])
	require.NoError(t, err)
	time.Sleep(1500 * time.Millisecond) // now it has been open for longer than a request may take
	_, err = io.WriteString(c, text[len(text)-10:])
	require.NoError(t, err)
	requireAnswer(t, r.answersOf(c, 1)[0], 200, accepted(1, 1, 0))
}

func TestSlowSenders(t *testing.T) {
	t.Parallel()
	r, _ := start(t, func(c *Config) { c.ReadTimeout, c.IdleTimeout = time.Second, time.Second })
	s := r.create(connection.CreateParams{})
	for name, text := range map[string]string{
		"a header":   "POST " + s.path() + " HTTP/1.1\r\nHost:",
		"no body":    "POST " + s.path() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 71\r\n\r\n",
		"half body":  request(s.path(), padded(100<<10))[:50<<10],
		"half chunk": "POST " + s.path() + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n" + track,
	} {
		t.Run(name, func(t *testing.T) {
			c := r.dial()
			_, err := io.WriteString(c, text)
			require.NoError(t, err)
			reader := bufio.NewReader(c)
			response, err := http.ReadResponse(reader, nil)
			require.NoError(t, err)
			require.True(t, response.Close)
			requireAnswer(t, r.read("/v1/segment/", response), 408, saysTooSlow)
			requireClosed(t, c)
		})
	}
	t.Run("nothing", func(t *testing.T) { requireClosed(t, r.dial()) })
	t.Run("refused, half body", func(t *testing.T) {
		c := r.dial()
		_, err := io.WriteString(c, request("/v1/segment/canary", padded(100<<10))[:50<<10])
		require.NoError(t, err)
		got := r.answersOf(c, 1)[0]
		requireAnswer(t, got, 401, saysUnauthorized)
		require.True(t, got.closes)
	})
	t.Run("idle", func(t *testing.T) {
		c := r.dial()
		_, err := io.WriteString(c, request(s.path(), track))
		require.NoError(t, err)
		reader := bufio.NewReader(c)
		response, err := http.ReadResponse(reader, nil)
		require.NoError(t, err)
		requireAnswer(t, r.read("/v1/segment/", response), 200, accepted(1, 1, 0))
		_, err = reader.ReadByte()
		require.ErrorIs(t, err, io.EOF)
	})
	require.Len(t, r.records(ingest), 1)
	r.requireNothingHeld()
}

// park sends a part of a request and waits until the edge waits for the rest.
func (r *rig) park(requests int64, bytes int64, text string) net.Conn {
	r.Helper()
	c := r.dial()
	_, err := io.WriteString(c, text)
	require.NoError(r, err)
	admit := r.service.handler.admit
	require.Eventually(r, func() bool { return admit.requests.Load() == requests && admit.bytes.Load() >= bytes }, patience, poll)
	return c
}

func TestTooManyRequests(t *testing.T) {
	r, _ := start(t, func(c *Config) { c.MaxInFlightRequests = 2 })
	s := r.create(connection.CreateParams{})
	body := padded(20 << 10)
	whole := request(s.path(), body)
	first := r.park(1, 0, whole[:15<<10])
	second := r.park(2, 0, whole[:15<<10])
	got := r.post(s.path(), track)
	requireAnswer(t, got, 429, saysOverloaded)
	require.Equal(t, "1", got.header.Get("Retry-After"))
	require.False(t, got.closes)
	for _, c := range []net.Conn{first, second} {
		_, err := io.WriteString(c, whole[15<<10:])
		require.NoError(t, err)
		requireAnswer(t, r.answersOf(c, 1)[0], 200, accepted(1, 1, 0))
	}
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	r.requireMetric(`requests_total{code="overloaded",status="429"}`, "1")
	r.requireNothingHeld()
}

func TestTooManyBytes(t *testing.T) {
	r, _ := start(t, func(c *Config) { c.MaxBodyBytes, c.MaxInFlightBytes = 256<<10, 512<<10 })
	s := r.create(connection.CreateParams{})
	whole := request(s.path(), padded(256<<10))
	first := r.park(1, 235<<10, whole[:240<<10])
	second := r.park(2, 470<<10, whole[:240<<10])
	chunked := io.MultiReader(strings.NewReader(padded(50 << 10)))
	for _, got := range []answer{
		r.post(s.path(), padded(50<<10)),
		r.do("POST", s.path(), chunked),
		r.post(s.path(), pack(t, "gzip", padded(50<<10)), "Content-Encoding", "gzip"),
	} {
		requireAnswer(t, got, 429, saysOverloaded)
		require.Equal(t, "1", got.header.Get("Retry-After"))
	}
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0)) // there is room for a little one
	for _, c := range []net.Conn{first, second} {
		_, err := io.WriteString(c, whole[240<<10:])
		require.NoError(t, err)
		requireAnswer(t, r.answersOf(c, 1)[0], 200, accepted(1, 1, 0))
	}
	r.requireNothingHeld()
	requireAnswer(t, r.post(s.path(), padded(50<<10)), 200, accepted(1, 1, 0))
}

// A connection over the limit is answered and closed before anything is read from it.
func TestTooManyConnections(t *testing.T) {
	r, _ := start(t, func(c *Config) { c.MaxConnections = 2 })
	s := r.create(connection.CreateParams{})
	var open []net.Conn
	for range 2 {
		c := r.dial()
		_, err := io.WriteString(c, request(s.path(), track))
		require.NoError(t, err)
		requireAnswer(t, r.answersOf(c, 1)[0], 200, accepted(1, 1, 0))
		open = append(open, c)
	}
	salts := r.dial()
	got := r.answersOf(salts, 1)[0]
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.True(t, got.closes)
	requireClosed(t, salts)
	r.requireMetric("connections_rejected_total", "1")
	r.requireMetric("open_connections", "2")
	require.NoError(t, open[0].Close())
	require.Eventually(t, func() bool { return r.service.server.GetOpenConnectionsCount() == 1 }, patience, poll)
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
}

// A sender that looks for its answer only after it has sent everything must find one.
func TestRefusalOfAHugeBodyArrives(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	huge := padded(20 << 20)
	requireAnswer(t, r.post(s.path(), huge), 413, saysTooLarge)
	requireAnswer(t, r.do("POST", s.path(), io.MultiReader(strings.NewReader(huge))), 413, saysTooLarge)
	requireAnswer(t, r.post("/v1/segment/canary", huge), 401, saysUnauthorized)
}
