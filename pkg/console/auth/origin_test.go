package auth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// DNS rebinding: another site's name resolves to this machine, and the browser sends that name as Host.
func TestCheckHost_AllowedNames(t *testing.T) {
	named := Config{Hosts: []string{"Console.example.com", "fd00::1", "192.0.2.7"}, URL: "https://public.example.com:8443"}
	password := withPassword(t)
	namedElsewhere := named
	namedElsewhere.PasswordFile = password.PasswordFile
	ours := []string{"localhost", "LOCALHOST:8081", "127.0.0.1", "127.0.0.1:1", "127.1.2.3:8081", "[::1]", "[::1]:8081"}
	listed := []string{"console.example.com", "CONSOLE.example.com:443", "[fd00::1]:8081", "[fd00:0::1]", "192.0.2.7:8081", "public.example.com", "public.example.com:8443"}
	strange := []string{
		"evil.example", "evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example", "console.example.com.evil.example", "10.0.0.1:8081", "[::2]:8081",
		"0.0.0.0:8081", "2130706433", "127.1",
	}
	malformed := []string{"", "[::1", "::1]:8081", "localhost@evil.example", "[::1%25evil]:8081", "a:b:c"}
	for name, c := range map[string]struct {
		config       Config
		listen       string
		yes, refused [][]string
	}{
		"loopback":               {Config{}, loopback, [][]string{ours}, [][]string{listed, strange, malformed}},
		"loopback with password": {password, loopback, [][]string{ours}, [][]string{listed, strange, malformed}},
		"loopback with names":    {named, loopback, [][]string{ours, listed}, [][]string{strange, malformed}},
		"elsewhere":              {password, allInterfaces, [][]string{ours, listed, strange}, [][]string{malformed}},
		"elsewhere with names":   {namedElsewhere, allInterfaces, [][]string{ours, listed}, [][]string{strange, malformed}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthenticator(t, c.config, c.listen)
			for _, hosts := range c.yes {
				for _, host := range hosts {
					require.True(t, a.allowsHost(host), host)
				}
			}
			for _, hosts := range c.refused {
				for _, host := range hosts {
					require.False(t, a.allowsHost(host), host)
				}
			}
		})
	}
}

func TestCheckHost_OtherName_IsRefusedOnAllPaths(t *testing.T) {
	a := newAuthenticator(t, Config{}, loopback)
	server, client := serve(t, a)
	for i, path := range []string{Path, Path + "/stream", LoginPath, AssetsPath + "a.css"} {
		response, body := ask(t, client, http.MethodGet, server.URL+path, nil, "Host: evil.example")
		require.Equal(t, http.StatusMisdirectedRequest, response.StatusCode)
		require.Contains(t, body, "--console-host")
		require.NotContains(t, body, "evil")
		require.Equal(t, i+1, refusals(t, a, reasonHost))
	}
}

func TestCheckOrigin_RequestsOfAnotherSite(t *testing.T) {
	config := withPassword(t)
	config.URL = "https://console.example.com"
	a := newAuthenticator(t, config, allInterfaces)
	server, client := serve(t, a)
	response, _ := logIn(t, client, server.URL, rightPassword, "")
	cookie := "Cookie: " + response.Cookies[0].Name + "=" + response.Cookies[0].Value // as if SameSite were not there
	host := strings.TrimPrefix(server.URL, "http://")
	for name, c := range map[string]struct {
		method  string
		headers []string
		refused string
	}{
		"same origin":                        {http.MethodPost, []string{"Sec-Fetch-Site: same-origin", "Origin: " + server.URL}, ""},
		"same origin, old browser":           {http.MethodPost, []string{"Origin: " + server.URL}, ""},
		"the public origin through a proxy":  {http.MethodPost, []string{"Origin: https://console.example.com"}, ""},
		"cross-site":                         {http.MethodPost, []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, reasonCrossOrigin},
		"cross-site DELETE":                  {http.MethodDelete, []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, reasonCrossOrigin},
		"cross-site form":                    {http.MethodPost, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, reasonCrossOrigin},
		"another port of the machine":        {http.MethodPost, []string{"Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1:1"}, reasonCrossOrigin},
		"cross-site, old browser":            {http.MethodPost, []string{"Origin: https://evil.example"}, reasonCrossOrigin},
		"another port, old browser":          {http.MethodPost, []string{"Origin: http://127.0.0.1:1"}, reasonCrossOrigin},
		"a sandboxed frame":                  {http.MethodPost, []string{"Origin: null"}, reasonCrossOrigin},
		"a name that begins with ours":       {http.MethodPost, []string{"Origin: http://" + host + ".evil.example"}, reasonCrossOrigin},
		"no word of where from":              {http.MethodPost, nil, reasonNoOrigin},
		"a PUT without a word of where from": {http.MethodPut, nil, reasonNoOrigin},
		"a page":                             {http.MethodGet, nil, ""},
		"our own script asks":                {http.MethodGet, []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}, ""},
		"a link elsewhere":                   {http.MethodGet, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, ""},
		"an image elsewhere":                 {http.MethodGet, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, reasonCrossOrigin},
		"a frame elsewhere":                  {http.MethodGet, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, reasonCrossOrigin},
		"a stream on another port":           {http.MethodGet, []string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}, reasonCrossOrigin},
	} {
		t.Run(name, func(t *testing.T) {
			before := map[string]int{reasonCrossOrigin: refusals(t, a, reasonCrossOrigin), reasonNoOrigin: refusals(t, a, reasonNoOrigin)}
			response, body := ask(t, client, c.method, server.URL+Path+"/pause", url.Values{}, append(c.headers, cookie)...)
			if c.refused == "" {
				require.Equal(t, http.StatusOK, response.StatusCode)
				require.Equal(t, `page name="" session=true`, body)
				return
			}
			require.Equal(t, http.StatusForbidden, response.StatusCode)
			require.NotContains(t, body, "page name")
			require.Equal(t, before[c.refused]+1, refusals(t, a, c.refused))
		})
	}
}

// Another site must not log a user in or out.
func TestCheckOrigin_LoginAndLogoutOfAnotherSite_AreRefused(t *testing.T) {
	a := newAuthenticator(t, withPassword(t), allInterfaces)
	server, client := serve(t, a)
	form := url.Values{passwordField: {rightPassword}}
	response, _ := ask(t, client, http.MethodPost, server.URL+LoginPath, form, "Origin: https://evil.example")
	require.Equal(t, http.StatusForbidden, response.StatusCode)
	require.Empty(t, response.Cookies)
	logIn(t, client, server.URL, rightPassword, "")
	for _, headers := range [][]string{{"Sec-Fetch-Site: cross-site"}, {}} {
		response, _ = ask(t, client, http.MethodPost, server.URL+LogoutPath, nil, headers...)
		require.Equal(t, http.StatusForbidden, response.StatusCode)
	}
	response, _ = ask(t, client, http.MethodGet, server.URL+LogoutPath, nil)
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	response, _ = ask(t, client, http.MethodGet, server.URL+Path, nil)
	require.Equal(t, http.StatusOK, response.StatusCode, "the session continues")
}

// An open console needs no cookie, so only the origin check protects it.
func TestOpenConsole_RequestsOfAnotherSite_AreRefused(t *testing.T) {
	a := newAuthenticator(t, Config{}, loopback)
	server, client := serve(t, a)
	for _, headers := range [][]string{{"Sec-Fetch-Site: cross-site"}, {"Origin: https://evil.example"}, {"Origin: null"}} {
		response, _ := ask(t, client, http.MethodPost, server.URL+Path+"/pause", url.Values{}, headers...)
		require.Equal(t, http.StatusForbidden, response.StatusCode)
	}
	require.Equal(t, 3, refusals(t, a, reasonCrossOrigin))
}
