package auth

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLoginAndLogout(t *testing.T) {
	a := newAuthenticator(t, withPassword(t), allInterfaces)
	server, client := serve(t, a)
	response, body := ask(t, client, http.MethodGet, server.URL+LoginPath+"?next=/console/stream", nil)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, `login problem="" wait=0s next=/console/stream`, body)
	for i, wrong := range []string{"", "wrong", rightPassword + " ", strings.ToUpper(rightPassword)} {
		response, body = logIn(t, client, server.URL, wrong, "/console/stream")
		require.Equal(t, http.StatusUnauthorized, response.StatusCode)
		require.Equal(t, `login problem="wrong password" wait=0s next=/console/stream`, body)
		require.Empty(t, response.Cookies)
		require.EqualValues(t, i+1, valueOf(t, a.metrics.failed))
	}
	response, _ = logIn(t, client, server.URL, rightPassword, "/console/stream?filter=x")
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
	require.Equal(t, "/console/stream?filter=x", response.Header.Get("Location"))
	require.EqualValues(t, 1, valueOf(t, a.metrics.loggedIn))
	require.EqualValues(t, 1, valueOf(t, a.metrics.sessions))
	_, body = ask(t, client, http.MethodGet, server.URL+Path, nil)
	require.Equal(t, `page name="" session=true`, body)
	response, _ = ask(t, client, http.MethodGet, server.URL+LoginPath+"?next=/console/stream", nil)
	require.Equal(t, "/console/stream", response.Header.Get("Location"), "a logged-in user is redirected")

	shown := client.Jar.Cookies(response.URL)[0]
	response, _ = ask(t, client, http.MethodPost, server.URL+LogoutPath, nil, "Origin: "+server.URL)
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
	require.Equal(t, LoginPath, response.Header.Get("Location"))
	require.Negative(t, response.Cookies[0].MaxAge)
	require.Zero(t, valueOf(t, a.metrics.sessions))
	response, _ = ask(t, client, http.MethodGet, server.URL+Path, nil, "Cookie: "+shown.Name+"="+shown.Value)
	require.Equal(t, http.StatusUnauthorized, response.StatusCode, "the old id is no longer valid")
}

// An id from before the login, which an attacker may have set, is not valid after it.
func TestLogin_SessionIDIsNew(t *testing.T) {
	a := newAuthenticator(t, withPassword(t), allInterfaces)
	server, client := serve(t, a)
	id := func(response answer) string { return response.Cookies[0].Value }
	response, _ := logIn(t, client, server.URL, rightPassword, "")
	first := id(response)
	response, _ = logIn(t, client, server.URL, rightPassword, "")
	second := id(response)
	require.NotEqual(t, first, second)
	require.EqualValues(t, 1, valueOf(t, a.metrics.sessions))
	for cookie, want := range map[string]int{first: http.StatusUnauthorized, second: http.StatusOK} {
		response, _ = ask(t, server.Client(), http.MethodGet, server.URL+Path, nil, "Cookie: "+plainCookie+"="+cookie)
		require.Equal(t, want, response.StatusCode)
	}
	response, _ = ask(t, server.Client(), http.MethodGet, server.URL+Path, nil, "Cookie: "+plainCookie+"=other; "+plainCookie+"="+second)
	require.Equal(t, http.StatusOK, response.StatusCode, "another cookie of the same name does not matter")
}

func TestLogin_CookieAttributes(t *testing.T) {
	public := withPassword(t)
	public.URL = "https://console.example.com"
	for _, c := range []struct {
		config     Config
		tls        bool
		name, path string
	}{
		{withPassword(t), true, "__Host-millrace-console", "/"},
		{public, false, "__Host-millrace-console", "/"},
		{withPassword(t), false, "millrace-console", Path},
	} {
		start := httptest.NewServer
		if c.tls {
			start = httptest.NewTLSServer
		}
		server := start(handler(newAuthenticator(t, c.config, allInterfaces)))
		client := browser(t, server)
		in, _ := logIn(t, client, server.URL, rightPassword, "")
		out, _ := ask(t, client, http.MethodPost, server.URL+LogoutPath, nil, "Origin: "+server.URL)
		server.Close()
		for _, response := range []answer{in, out} {
			require.Len(t, response.Cookies, 1)
			cookie := response.Cookies[0]
			require.Equal(t, c.name, cookie.Name)
			require.Equal(t, c.path, cookie.Path)
			require.Equal(t, c.name == secureCookie, cookie.Secure)
			require.Empty(t, cookie.Domain)
			require.True(t, cookie.HttpOnly)
			require.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
		}
	}
}

// With TLS only the __Host- cookie is accepted, which no other host can set.
func TestTLS_PlainCookie_IsRefused(t *testing.T) {
	a := newAuthenticator(t, withPassword(t), allInterfaces)
	server := httptest.NewTLSServer(handler(a))
	defer server.Close()
	id := begin(t, a.sessions)
	for name, want := range map[string]int{plainCookie: http.StatusUnauthorized, secureCookie: http.StatusOK} {
		response, _ := ask(t, server.Client(), http.MethodGet, server.URL+Path, nil, "Cookie: "+name+"="+id)
		require.Equal(t, want, response.StatusCode)
	}
}

func TestLocalPath_StaysInTheConsole(t *testing.T) {
	for text, want := range map[string]string{
		"/console":                  "/console",
		"/console/":                 "/console/",
		"/console?a=b":              "/console?a=b",
		"/console/stream":           "/console/stream",
		"/console/stream?a=b&c=%2F": "/console/stream?a=b&c=%2F",
		"/console/a%2Fb%20c":        "/console/a%2Fb%20c",
		"/console/stream#there":     "/console/stream",
		"/console/?next=//evil":     "/console/?next=//evil",
		"":                          Path,
		"/":                         Path,
		"/consolex":                 Path,
		"/metrics":                  Path,
		"/debug/pprof/":             Path,
		"console/live":              Path,
		"//evil.example":            Path,
		"//evil.example/console/":   Path,
		"///evil.example/console/":  Path,
		"https://evil.example":      Path,
		"https:/console/stream":     Path,
		"https:console/live":        Path,
		"javascript:alert(1)":       Path,
		`/\evil.example`:            Path,
		`\/evil.example/console/`:   Path,
		`/console/\evil`:            Path,
		"/\t/evil.example":          Path,
		"/console/\r\nLocation: x":  Path,
		"/console/../metrics":       Path,
		"/console/%2e%2e/metrics":   Path,
		"/console//evil.example":    Path,
		"/%2f/evil.example":         Path,
		LoginPath:                   Path,
		LogoutPath:                  Path,
		"/console/%6cogin":          Path,
		"/console/" + long(10):      "/console/" + long(10),
		"/console/" + long(1<<12):   Path,
	} {
		require.Equal(t, want, localPath(text), text)
	}
	a := newAuthenticator(t, withPassword(t), allInterfaces)
	server, client := serve(t, a)
	response, _ := logIn(t, client, server.URL, rightPassword, "//evil.example")
	require.Equal(t, Path, response.Header.Get("Location"))
	_, body := ask(t, server.Client(), http.MethodGet, server.URL+LoginPath+"?next=//evil.example", nil)
	require.Contains(t, body, "next="+Path)
	require.NotContains(t, body, "evil")
}

func long(n int) string { return strings.Repeat("a", n) }

func TestLogin_TooManyFailures_IsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, withPassword(t), allInterfaces)
		try := func(password string) *httptest.ResponseRecorder {
			form := url.Values{passwordField: {password}, nextField: {"/console/stream"}}
			r := httptest.NewRequest(http.MethodPost, "http://console.example.com"+LoginPath, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", "http://console.example.com")
			answer := httptest.NewRecorder()
			handler(a).ServeHTTP(answer, r)
			return answer
		}
		for range 3 * addressBurst {
			require.Equal(t, http.StatusSeeOther, try(rightPassword).Code, "correct passwords are not limited")
		}
		for range addressBurst {
			require.Equal(t, http.StatusUnauthorized, try("wrong").Code)
		}
		time.Sleep(500 * time.Millisecond)
		for range 10 {
			answer := try(rightPassword)
			require.Equal(t, http.StatusTooManyRequests, answer.Code, "the password is not checked")
			require.Equal(t, "30", answer.Header().Get("Retry-After"), "29.5 s, in whole seconds")
			require.Equal(t, `login problem="too many failures" wait=30s next=/console/stream`, answer.Body.String())
			require.Empty(t, answer.Result().Cookies())
		}
		require.EqualValues(t, 10, valueOf(t, a.metrics.limited))
		require.EqualValues(t, addressBurst, valueOf(t, a.metrics.failed))
		wait, err := strconv.Atoi(try(rightPassword).Header().Get("Retry-After"))
		require.NoError(t, err)
		time.Sleep(time.Duration(wait) * time.Second)
		require.Equal(t, http.StatusSeeOther, try(rightPassword).Code, "after the wait of the answer the login succeeds")
		a.sessions.endAll()
	})
}

func TestLogin_UnreadableForm_IsRefused(t *testing.T) {
	a := newAuthenticator(t, withPassword(t), allInterfaces)
	server, client := serve(t, a)
	for _, c := range []struct {
		password string
		status   int
	}{{long(maxLoginBytes - 100), http.StatusUnauthorized}, {long(maxLoginBytes), http.StatusRequestEntityTooLarge}} {
		response, _ := logIn(t, client, server.URL, c.password, "")
		require.Equal(t, c.status, response.StatusCode)
	}
	for range 2 * addressBurst {
		response, _ := ask(t, client, http.MethodPost, server.URL+LoginPath+"?%zz", url.Values{}, "Origin: "+server.URL)
		require.Equal(t, http.StatusBadRequest, response.StatusCode)
	}
	response, _ := logIn(t, client, server.URL, rightPassword, "")
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
	query := server.URL + LoginPath + "?password=" + url.QueryEscape(rightPassword)
	response, _ = ask(t, browser(t, server), http.MethodPost, query, url.Values{}, "Origin: "+server.URL)
	require.Equal(t, http.StatusUnauthorized, response.StatusCode, "a password in the URL is ignored")
}

func TestLogin_ChangedPassword_EndsSessions(t *testing.T) {
	config := withPassword(t)
	a := newAuthenticator(t, config, allInterfaces)
	server, client := serve(t, a)
	logIn(t, client, server.URL, rightPassword, "")
	logIn(t, browser(t, server), server.URL, rightPassword, "")
	require.EqualValues(t, 2, valueOf(t, a.metrics.sessions), "an unchanged password ends no session")
	setPassword(t, config.PasswordFile, "another good password")
	response, _ := logIn(t, browser(t, server), server.URL, rightPassword, "")
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	require.Zero(t, valueOf(t, a.metrics.sessions))
	response, _ = ask(t, client, http.MethodGet, server.URL+Path, nil)
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	response, _ = logIn(t, client, server.URL, "another good password", "")
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
	require.EqualValues(t, 1, valueOf(t, a.metrics.sessions))
}

func TestLogin_MissingPasswordFile_IsNoFailure(t *testing.T) {
	config := withPassword(t)
	a := newAuthenticator(t, config, allInterfaces)
	server, client := serve(t, a)
	logIn(t, client, server.URL, rightPassword, "")
	require.NoError(t, os.Rename(config.PasswordFile, config.PasswordFile+".away"))
	for range 2 * addressBurst {
		response, body := logIn(t, server.Client(), server.URL, rightPassword, "")
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		require.Contains(t, body, `problem="cannot check"`)
		require.NotContains(t, body, config.PasswordFile)
	}
	response, _ := ask(t, client, http.MethodGet, server.URL+Path, nil)
	require.Equal(t, http.StatusOK, response.StatusCode, "existing sessions continue")
	require.NoError(t, os.Rename(config.PasswordFile+".away", config.PasswordFile))
	response, _ = logIn(t, client, server.URL, rightPassword, "")
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
}

// One password is checked at a time. A cancelled request stops waiting.
func TestPasswordChecker_ChecksOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, withPassword(t), allInterfaces)
		a.passwords.busy <- struct{}{} // somebody is being checked
		var entered, left int
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			ok, err := a.passwords.check(t.Context(), rightPassword, func() { entered++ })
			require.True(t, ok)
			require.NoError(t, err)
		}()
		go func() {
			ok, err := a.passwords.check(ctx, rightPassword, func() { entered++ })
			require.False(t, ok)
			require.ErrorIs(t, err, context.Canceled)
			left++
		}()
		synctest.Wait()
		require.Zero(t, entered)
		leave()
		synctest.Wait()
		require.Equal(t, 1, left)
		require.Zero(t, entered)
		<-a.passwords.busy
		synctest.Wait()
		require.Equal(t, 1, entered)
	})
}

func TestHashPassword(t *testing.T) {
	hash, err := HashPassword(rightPassword)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(hash, "$scrypt$ln=15,r=8,p=1$"))
	for password, want := range map[string]string{"": "at least 12", "elevenchars": "at least 12", "äöüäöüäöüäö": "at least 12", long(1025): "at most 1024", "twelve chars\n": "line break"} {
		_, err := HashPassword(password)
		require.ErrorContains(t, err, want)
		if password != "" {
			require.NotContains(t, err.Error(), password)
		}
	}
	for _, password := range []string{"twelve chars", "äöüäöüäöüäöü", long(1024)} {
		_, err := hashPassword(cheapCost, password)
		require.NoError(t, err)
	}
}

// The log contains nothing of a request: no password, no cookie, no header.
func TestLog_ContainsNothingOfARequest(t *testing.T) {
	var log bytes.Buffer
	config := withPassword(t)
	config.ProxyHeader, config.ProxyFrom = "X-Forwarded-User", []string{"127.0.0.1"}
	a := newAuthenticatorWithLog(t, config, allInterfaces, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	server, client := serve(t, a)
	canaries := []string{"X-Forwarded-For: fe80::1%canary", "User-Agent: canary", "Cookie: " + plainCookie + "=canary", "HX-Current-URL: canary", "Accept: canary"}
	for _, password := range []string{rightPassword, "canary", rightPassword} {
		form := url.Values{passwordField: {password}, nextField: {"/console/canary"}}
		ask(t, client, http.MethodPost, server.URL+LoginPath, form, append(canaries, "Origin: "+server.URL)...)
		ask(t, client, http.MethodPost, server.URL+LoginPath, form, append(canaries, "Origin: http://canary")...)
		ask(t, client, http.MethodGet, server.URL+Path, nil, append(canaries, "X-Forwarded-User: canary")...)
		ask(t, client, http.MethodGet, server.URL+Path, nil, append(canaries, "Host: canary/canary")...)
		for range addressBurst {
			logIn(t, client, server.URL, "canary", "canary")
		}
		require.NoError(t, os.WriteFile(config.PasswordFile, []byte("canary"), 0o600)) // the password itself, by mistake
	}
	require.Contains(t, log.String(), "login with a wrong password")
	require.Contains(t, log.String(), "address=fe80::1")
	require.Contains(t, log.String(), "all logins fail")
	require.NotContains(t, log.String(), "canary")
	require.NotContains(t, log.String(), rightPassword)
	require.EqualValues(t, 1, valueOf(t, a.metrics.loggedIn))
	for _, cookie := range client.Jar.Cookies(&url.URL{Scheme: "http", Host: strings.TrimPrefix(server.URL, "http://"), Path: Path}) {
		require.NotContains(t, log.String(), cookie.Value)
	}
}

// A login form that does not arrive must not hold its connection.
func TestLogin_MissingBody_ClosesConnection(t *testing.T) {
	a := newAuthenticator(t, withPassword(t), allInterfaces)
	server, _ := serve(t, a)
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer connection.Close()
	host := server.Listener.Addr().String()
	_, err = fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: %s\r\nOrigin: http://%[2]s\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n", LoginPath, host)
	require.NoError(t, err)
	require.NoError(t, connection.SetReadDeadline(time.Now().Add(10*time.Second)))
	answer, err := io.ReadAll(connection) // until the server closes
	require.NoError(t, err)
	require.Contains(t, string(answer), "400 Bad Request")
}
