package auth

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/clientip"
)

// from returns a request from an address, with headers given as "Name: value".
func from(remote string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://console.example.com"+Path, nil)
	r.RemoteAddr = remote
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestProxyUser_TrustedProxiesOnly(t *testing.T) {
	a := newAuthenticator(t, Config{ProxyHeader: "x-forwarded-user", ProxyFrom: []string{"10.0.0.0/8", "fe80::/10", "192.0.2.1"}}, allInterfaces)
	const grace = "X-Forwarded-User: Grace Hopper"
	longest := strings.Repeat("a", maxUserBytes)
	for _, c := range []struct {
		remote  string
		headers []string
		want    string // empty if no user is accepted
	}{
		{"10.1.2.3:99", []string{grace}, "Grace Hopper"},
		{"192.0.2.1:99", []string{grace}, "Grace Hopper"},
		{"192.0.2.1:99", []string{grace, "X-Forwarded-For: 198.51.100.1"}, "Grace Hopper"},
		{"[::ffff:10.1.2.3]:99", []string{grace}, "Grace Hopper"},
		{"[fe80::1%eth0]:99", []string{grace}, "Grace Hopper"},
		{"10.1.2.3:99", []string{"X-Forwarded-User:  zoë@example.com "}, "zoë@example.com"},
		{"10.1.2.3:99", []string{"X-Forwarded-User: " + longest}, longest},
		{"10.1.2.3:99", []string{"X-Forwarded-User: " + longest + "a"}, ""},
		{"11.1.2.3:99", []string{grace}, ""},
		{"192.0.2.2:99", []string{grace}, ""},
		{"127.0.0.1:99", []string{grace}, ""},
		{"", []string{grace}, ""},
		{"@", []string{grace}, ""}, // a socket's
		{"11.1.2.3:99", []string{grace, "X-Forwarded-For: 10.1.2.3"}, ""},
		{"10.1.2.3:99", nil, ""},
		{"10.1.2.3:99", []string{"X-Forwarded-User: "}, ""},
		{"10.1.2.3:99", []string{"X-User: Grace"}, ""},
		{"10.1.2.3:99", []string{"X-Forwarded-User: root", grace}, ""},
		{"10.1.2.3:99", []string{"X-Forwarded-User: a\x00b"}, ""},
		{"10.1.2.3:99", []string{"X-Forwarded-User: a\xffb"}, ""},
	} {
		name, ok := a.proxyUser(from(c.remote, c.headers...))
		require.Equal(t, c.want != "", ok, "%+v", c)
		if ok {
			require.Equal(t, c.want, name)
		}
		answer := httptest.NewRecorder()
		handler(a).ServeHTTP(answer, from(c.remote, c.headers...))
		if ok {
			require.Equal(t, http.StatusOK, answer.Code)
			require.Contains(t, answer.Body.String(), name)
			continue
		}
		require.Equal(t, http.StatusForbidden, answer.Code)
		require.Contains(t, answer.Body.String(), "--console-proxy-from")
		require.NotContains(t, answer.Body.String(), "Grace")
	}
	require.Equal(t, 13, refusals(t, a, reasonNoProxyUser))
}

// A user named by the proxy needs no password.
func TestProxyUser_WithPassword_NeedsNoLogin(t *testing.T) {
	config := withPassword(t)
	config.ProxyHeader, config.ProxyFrom = "X-Forwarded-User", []string{"10.0.0.1"}
	a := newAuthenticator(t, config, allInterfaces)
	for remote, want := range map[string]int{"10.0.0.1:99": http.StatusOK, "10.0.0.2:99": http.StatusSeeOther} {
		answer := httptest.NewRecorder()
		handler(a).ServeHTTP(answer, from(remote, "X-Forwarded-User: Grace", "Accept: text/html"))
		require.Equal(t, want, answer.Code)
	}
}

// A user name from a proxy does not replace the origin check.
func TestProxyUser_WithoutOrigin_IsRefused(t *testing.T) {
	a := newAuthenticator(t, Config{ProxyHeader: "X-Forwarded-User", ProxyFrom: []string{"10.0.0.1"}}, allInterfaces)
	for origin, want := range map[string]int{"http://console.example.com": http.StatusOK, "https://evil.example": http.StatusForbidden, "": http.StatusForbidden} {
		r := from("10.0.0.1:99", "X-Forwarded-User: Grace")
		r.Method = http.MethodPost
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		answer := httptest.NewRecorder()
		handler(a).ServeHTTP(answer, r)
		require.Equal(t, want, answer.Code, origin)
	}
}

func TestClientAddress_BehindProxies(t *testing.T) {
	list, err := parseProxies([]string{"10.0.0.0/8"})
	require.NoError(t, err)
	for _, c := range []struct {
		remote, forwarded, client, share string
	}{
		{"192.0.2.9:1", "", "192.0.2.9", "192.0.2.9"},
		{"192.0.2.9:1", "198.51.100.1", "192.0.2.9", "192.0.2.9"},
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "203.0.113.1, 198.51.100.1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "203.0.113.1,198.51.100.1 , 10.0.0.2", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.1:1", "198.51.100.1, unknown", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.1:1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"10.0.0.1:1", "fe80::1%a text of the sender's", "fe80::1", "fe80::"},
		{"10.0.0.1:1", "::ffff:198.51.100.1", "198.51.100.1", "198.51.100.1"},
	} {
		client := clientAddress(list, from(c.remote, "X-Forwarded-For: "+c.forwarded))
		require.Equal(t, c.client, client.String(), "%+v", c)
		require.Equal(t, c.share, clientip.ShareOf(client).String(), "%+v", c)
	}
	split := from("10.0.0.1:1", "X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 198.51.100.1")
	require.Equal(t, netip.MustParseAddr("198.51.100.1"), clientAddress(list, split), "several headers count as one list")
	require.Equal(t, netip.Addr{}, clientAddress(list, from("@")))
}
