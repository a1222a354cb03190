package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeaders_OnEveryAnswer(t *testing.T) {
	a := newAuthenticator(t, withPassword(t), allInterfaces)
	server, client := serve(t, a)
	check := func(what string, response answer, status int) {
		t.Helper()
		require.Equal(t, status, response.StatusCode, what)
		for name, value := range headers {
			if name != "Cache-Control" {
				require.Equal(t, []string{value}, response.Header.Values(name), "%s: %s", what, name)
			}
		}
		require.Empty(t, response.Header.Get("Strict-Transport-Security"), what)
	}
	noStore := func(what string, response answer, status int) {
		t.Helper()
		check(what, response, status)
		require.Equal(t, "no-store", response.Header.Get("Cache-Control"), what)
	}
	response, _ := ask(t, client, http.MethodGet, server.URL+Path, nil)
	noStore("refused", response, http.StatusUnauthorized)
	response, _ = ask(t, client, http.MethodGet, server.URL+Path, nil, "Accept: text/html")
	noStore("redirected", response, http.StatusSeeOther)
	response, _ = ask(t, client, http.MethodGet, server.URL+LoginPath, nil)
	noStore("the login page", response, http.StatusOK)
	response, _ = ask(t, client, http.MethodPost, server.URL+Path, nil)
	noStore("no origin", response, http.StatusForbidden)
	response, _ = ask(t, client, http.MethodGet, server.URL+Path, nil, "Host: a@b")
	noStore("another name", response, http.StatusMisdirectedRequest)
	response, _ = ask(t, client, http.MethodPut, server.URL+LoginPath, nil, "Origin: "+server.URL)
	noStore("another method", response, http.StatusMethodNotAllowed)
	response, _ = logIn(t, client, server.URL, rightPassword, "")
	noStore("logged in", response, http.StatusSeeOther)
	response, _ = ask(t, client, http.MethodGet, server.URL+Path, nil)
	noStore("a page", response, http.StatusOK)
	response, _ = ask(t, client, http.MethodGet, server.URL+AssetsPath+"a.css", nil)
	check("an asset", response, http.StatusOK)
	require.Equal(t, []string{"public, max-age=31536000, immutable"}, response.Header.Values("Cache-Control"))
}

func TestHeaders_StrictTransport_OnlyWithTLS(t *testing.T) {
	public := withPassword(t)
	public.URL = "https://console.example.com"
	plain := withPassword(t)
	plain.URL = "http://console.example.com"
	for _, c := range []struct {
		config    Config
		tls       bool
		host      string
		transport string
	}{
		{withPassword(t), true, "console.example.com", strictTransport},
		{withPassword(t), false, "console.example.com", ""},
		{public, false, "console.example.com", strictTransport},
		{plain, false, "console.example.com", ""},
		{public, false, "localhost:8081", ""},
		{withPassword(t), true, "127.0.0.1:8081", ""},
	} {
		start := httptest.NewServer
		if c.tls {
			start = httptest.NewTLSServer
		}
		server := start(handler(newAuthenticator(t, c.config, allInterfaces)))
		response, _ := ask(t, server.Client(), http.MethodGet, server.URL+LoginPath, nil, "Host: "+c.host)
		server.Close()
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, c.transport, response.Header.Get("Strict-Transport-Security"), "%+v", c)
	}
}
