package edge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/connection"
)

func TestSegmentToken(t *testing.T) {
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
		token, ok := segmentToken([]byte(target))
		require.Equal(t, want, string(token), target)
		require.Equal(t, want != "", ok, target)
	}
}

func TestSegmentTokenAllocatesNothing(t *testing.T) {
	target := []byte("/v1/segment/abc?x=y")
	require.Zero(t, testing.AllocsPerRun(100, func() { segmentToken(target) }))
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
