package edge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/pkg/connection"
)

func TestRouteOfTheWebhook(t *testing.T) {
	e := newEndpoints()
	for target, want := range map[string]string{
		"/v1/segment/abc":       "abc",
		"/v1/segment/abc?x=/y":  "abc",
		"/v1/segment/a%62c":     "a%62c",
		"/v1/segment/abc?":      "abc",
		"/v1/segment/":          "",
		"/v1/segment/?token=a":  "",
		"/v1/segment":           "",
		"/v1/segment/abc/":      "",
		"/v1/segment/abc/d":     "",
		"/v1/segment//abc":      "",
		"//v1/segment/abc":      "",
		"/v1//segment/abc":      "",
		"/./v1/segment/abc":     "",
		"/v1/x/../segment/abc":  "",
		"/v1/Segment/abc":       "",
		"/v1/segm%65nt/abc":     "",
		"/v1/segments/abc":      "",
		"/v1/other/abc":         "",
		"/v2/segment/abc":       "",
		"v1/segment/abc":        "",
		"*":                     "",
		"":                      "",
		"?/v1/segment/abc":      "",
		"/?x=/v1/segment/abc":   "",
		"/v1/segment#/abc":      "",
		"//host/v1/segment/abc": "",
	} {
		at, token := e.route([]byte(target))
		require.Equal(t, want, string(token), target)
		require.Equal(t, want != "", at == &e.webhook, target)
		require.Equal(t, want == "", at == nil, target)
	}
}

func TestRouteOfTheAPI(t *testing.T) {
	e := newEndpoints()
	for name, want := range map[string]*endpoint{"events": &e.events, "identify": &e.identify, "conversations": &e.conversations} {
		for target, found := range map[string]bool{
			"/v1/NAME": true, "/v1/NAME?": true, "/v1/NAME?x=/y": true, "/v1/NAME#x": true,
			"/v1/NAME/": false, "/v1/NAME/x": false, "/v1/NAME/?x": false, "//v1/NAME": false, "/v1//NAME": false, "/v1/./NAME": false, "/V1/NAME": false,
			"/v1/NAMEx": false, "/v2/NAME": false, "v1/NAME": false, "?/v1/NAME": false, "//host/v1/NAME": false, "/v1/segment/NAME/": false,
		} {
			target = strings.ReplaceAll(target, "NAME", name)
			at, token := e.route([]byte(target))
			require.Nil(t, token)
			require.Equal(t, found, at == want, target)
			require.Equal(t, !found, at == nil, target)
		}
	}
	for _, target := range []string{"/v1/event", "/v1/Events", "/v1/%65vents", "/v1/identity", "/v1/conversation"} {
		at, _ := e.route([]byte(target))
		require.Nil(t, at, target)
	}
}

func TestRouteAllocatesNothing(t *testing.T) {
	e := newEndpoints()
	webhook, events, conversations := []byte("/v1/segment/abc?x=y"), []byte("/v1/events"), []byte("/v1/conversations")
	var h fasthttp.RequestHeader
	h.Set("Authorization", "Bearer abc")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		e.route(webhook)
		e.route(events)
		e.route(conversations)
		bearerToken(&h)
	}))
}

func TestPathsOverHTTP(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	for target, want := range map[string]answer{
		s.path():                         {status: 200, body: accepted(1, 1, 0)},
		s.path() + "?utm=/x/../y":        {status: 200, body: accepted(1, 1, 0)},
		s.path() + "/":                   {status: 404, body: saysNotFound},
		s.path() + "/?x=y":               {status: 404, body: saysNotFound},
		s.path() + "/extra":              {status: 404, body: saysNotFound},
		"/v1/segment/":                   {status: 404, body: saysNotFound},
		"/v1/segment":                    {status: 404, body: saysNotFound},
		"/":                              {status: 404, body: saysNotFound},
		"/v1/segment//" + s.token:        {status: 404, body: saysNotFound},
		"/v1//segment/" + s.token:        {status: 404, body: saysNotFound},
		"/v1/amplitude/" + s.token:       {status: 404, body: saysNotFound},
		"/v1/segm%65nt/" + s.token:       {status: 404, body: saysNotFound},
		"/V1/segment/" + s.token:         {status: 404, body: saysNotFound},
		"/v1/x/../segment/" + s.token:    {status: 404, body: saysNotFound},
		"/v1/segment/%6d" + s.token[1:]:  {status: 401, body: saysUnauthorized},
		"/v1/segment/%zz" + s.token[3:]:  {status: 401, body: saysUnauthorized},
		"/v1/segment/canary-of-the-path": {status: 401, body: saysUnauthorized},
	} {
		got := r.post(target, track)
		requireAnswer(t, got, want.status, want.body)
	}
	double := r.raw("POST /" + s.path() + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	require.True(t, strings.HasPrefix(double, "HTTP/1.1 404 "), double)
	require.NotContains(t, r.answers.String(), "canary-of-the-path")
	require.NotContains(t, r.logs.String(), "canary-of-the-path")
	require.Len(t, r.records(ingest), 2)
}

func TestMethods(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "BREW"} {
		got := r.do(method, s.path(), nil)
		requireAnswer(t, got, http.StatusMethodNotAllowed, saysNotPost)
		require.Equal(t, "POST", got.header.Get("Allow"))
	}
	head := r.do("HEAD", s.path(), nil)
	require.Equal(t, 405, head.status)
	require.Equal(t, "POST", head.header.Get("Allow"))
	require.Empty(t, head.body)
	r.requireMetric(`requests_total{code="method_not_allowed",status="405"}`, "9")
	require.Empty(t, r.records(ingest))
}
