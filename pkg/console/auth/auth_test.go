package auth

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/token"
)

const (
	loopback      = "127.0.0.1:8081"
	allInterfaces = ":8081"
	rightPassword = "correct horse battery staple"
)

var cheapCost = token.Cost{LogN: 4, R: 8, P: 1}

// withPassword returns a Config with the password rightPassword.
func withPassword(t *testing.T) Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	setPassword(t, file, rightPassword)
	return Config{PasswordFile: file}
}

func setPassword(t *testing.T, file, password string) {
	t.Helper()
	hash, err := hashPassword(cheapCost, password)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(hash+"\n"), 0o600))
}

func newAuthenticator(t *testing.T, config Config, listen string) *Authenticator {
	t.Helper()
	return newAuthenticatorWithLog(t, config, listen, slog.New(slog.DiscardHandler))
}

func newAuthenticatorWithLog(t *testing.T, config Config, listen string, log *slog.Logger) *Authenticator {
	t.Helper()
	page := func(w http.ResponseWriter, _ *http.Request, view LoginView) {
		w.WriteHeader(view.Status)
		fmt.Fprintf(w, "login problem=%q wait=%s next=%s", view.Problem, view.Wait, view.Next)
	}
	a, err := New(config, listen, page, prometheus.NewRegistry(), log)
	require.NoError(t, err)
	return a
}

// handler serves pages that show their visitor, and a stream at /console/stream.
func handler(a *Authenticator) http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc(Path+"/stream", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "streaming")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		fmt.Fprintln(w, context.Cause(r.Context()))
	})
	pages.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		v := VisitorOf(r.Context())
		fmt.Fprintf(w, "page name=%q session=%t", v.Name, v.Session)
	})
	assets := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		fmt.Fprint(w, "asset")
	})
	return a.Handler(pages, assets)
}

// browser keeps cookies and does not follow redirects.
func browser(t *testing.T, server *httptest.Server) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := *server.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

func serve(t *testing.T, a *Authenticator) (*httptest.Server, *http.Client) {
	t.Helper()
	server := httptest.NewServer(handler(a))
	t.Cleanup(server.Close)
	return server, browser(t, server)
}

// answer is a response whose body has been read.
type answer struct {
	StatusCode int
	Header     http.Header
	URL        *url.URL
	Cookies    []*http.Cookie
}

// ask makes a request with headers given as "Name: value".
func ask(t *testing.T, client *http.Client, method, address string, form url.Values, headers ...string) (answer, string) {
	t.Helper()
	request, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			request.Host = value
		} else {
			request.Header.Add(name, value)
		}
	}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, response.Request.URL, response.Cookies()}, string(body)
}

func logIn(t *testing.T, client *http.Client, base, password, next string) (answer, string) {
	t.Helper()
	return ask(t, client, http.MethodPost, base+LoginPath, url.Values{passwordField: {password}, nextField: {next}}, "Origin: "+base)
}

func refusals(t *testing.T, a *Authenticator, reason string) int {
	t.Helper()
	return int(valueOf(t, a.metrics.refused.WithLabelValues(reason)))
}

func valueOf(t *testing.T, metric prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	require.NoError(t, metric.Write(&m))
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

func TestOpenConsole_OnLoopback_NeedsNoLogin(t *testing.T) {
	a := newAuthenticator(t, Config{}, loopback)
	server, client := serve(t, a)
	for _, path := range []string{Path, Path + "/", Path + "/connections"} {
		response, body := ask(t, client, http.MethodGet, server.URL+path, nil)
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, `page name="" session=false`, body)
	}
	response, _ := ask(t, client, http.MethodPost, server.URL+Path+"/pause", url.Values{})
	require.Equal(t, http.StatusOK, response.StatusCode, "a program on this machine needs no origin")
	response, _ = ask(t, client, http.MethodGet, server.URL+LoginPath, nil)
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
	require.Equal(t, Path, response.Header.Get("Location"), "no password is configured")
	response, _ = logIn(t, client, server.URL, rightPassword, "")
	require.Equal(t, Path, response.Header.Get("Location"))
	require.Empty(t, response.Cookies)
}

// A proxy on this machine would make an open console reachable from elsewhere.
func TestOpenConsole_ForwardedRequest_IsRefused(t *testing.T) {
	a := newAuthenticator(t, Config{}, loopback)
	server, client := serve(t, a)
	for i, header := range []string{"Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: console.example.com", "X-Real-IP: 192.0.2.1"} {
		response, body := ask(t, client, http.MethodGet, server.URL+Path, nil, header)
		require.Equal(t, http.StatusForbidden, response.StatusCode, header)
		require.Contains(t, body, "--console-password-file")
		require.Equal(t, i+1, refusals(t, a, reasonForwarded))
	}
}

func TestHandler_NoSession_IsRefused(t *testing.T) {
	a := newAuthenticator(t, withPassword(t), allInterfaces)
	server, client := serve(t, a)
	live := server.URL + Path + "/stream?filter=a%2Fb"
	back := LoginPath + "?next=" + url.QueryEscape(Path+"/stream?filter=a%2Fb")
	for name, c := range map[string]struct {
		method         string
		headers        []string
		status         int
		location, htmx string
	}{
		"a page":                      {http.MethodGet, []string{"Accept: text/html,*/*"}, http.StatusSeeOther, back, ""},
		"a form":                      {http.MethodPost, []string{"Accept: text/html", "Origin: " + server.URL}, http.StatusSeeOther, LoginPath, ""},
		"a program":                   {http.MethodGet, []string{"Accept: */*"}, http.StatusUnauthorized, "", ""},
		"a stream":                    {http.MethodGet, []string{"Accept: text/event-stream"}, http.StatusUnauthorized, "", ""},
		"htmx":                        {http.MethodGet, []string{"HX-Request: true", "HX-Current-URL: " + live}, http.StatusUnauthorized, "", back},
		"htmx with POST":              {http.MethodPost, []string{"HX-Request: true", "HX-Current-URL: " + live, "Origin: " + server.URL}, http.StatusUnauthorized, "", back},
		"htmx from another site":      {http.MethodGet, []string{"HX-Request: true", "HX-Current-URL: https://evil.example" + Path + "/stream"}, http.StatusUnauthorized, "", LoginPath},
		"an unknown session":          {http.MethodGet, []string{"Accept: text/html", "Cookie: " + plainCookie + "=" + strings.Repeat("A", 43)}, http.StatusSeeOther, back, ""},
		"an overlong session":         {http.MethodGet, []string{"Accept: text/html", "Cookie: " + plainCookie + "=" + strings.Repeat("A", 4096)}, http.StatusSeeOther, back, ""},
		"a user header without proxy": {http.MethodGet, []string{"Accept: text/html", "X-Forwarded-User: root"}, http.StatusSeeOther, back, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := refusals(t, a, reasonNoSession)
			response, body := ask(t, client, c.method, live, nil, c.headers...)
			require.Equal(t, c.status, response.StatusCode)
			require.Equal(t, c.location, response.Header.Get("Location"))
			require.Equal(t, c.htmx, response.Header.Get("HX-Redirect"))
			require.NotContains(t, body, "streaming")
			require.Equal(t, before+1, refusals(t, a, reasonNoSession))
		})
	}
	response, body := ask(t, client, http.MethodGet, server.URL+AssetsPath+"a.css", nil)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "asset", body, "the login page needs them")
}

func TestLogout_EndsStream(t *testing.T) {
	a := newAuthenticator(t, withPassword(t), allInterfaces)
	server, client := serve(t, a)
	logIn(t, client, server.URL, rightPassword, "")
	response, err := client.Get(server.URL + Path + "/stream")
	require.NoError(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	require.True(t, lines.Scan())
	require.Equal(t, "streaming", lines.Text())
	ask(t, client, http.MethodPost, server.URL+LogoutPath, nil, "Origin: "+server.URL)
	require.True(t, lines.Scan())
	require.Equal(t, ErrSessionEnded.Error(), lines.Text())
	require.False(t, lines.Scan())
	require.NoError(t, lines.Err())
}
