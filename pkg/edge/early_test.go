package edge

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/connection"
)

// An answer that needs no body does not wait for one: not for a sender that asks first, and not for long
// for one that has stopped sending.
func TestAnswersThatNeedNoBody(t *testing.T) {
	r, _ := start(t, func(c *Config) { c.ReadTimeout = time.Hour })
	s := r.create(connection.CreateParams{})
	paused := r.paused(connection.CreateParams{})
	for name, row := range map[string]struct {
		method, target string
		length         int
		status         int
		body           string
	}{
		"token":    {"POST", "/v1/segment/canary", 1 << 40, 401, saysUnauthorized},
		"path":     {"POST", "/v1/segment/", 100, 404, saysNotFound},
		"method":   {"PUT", s.path(), 100, 405, saysNotPost},
		"paused":   {"POST", paused.path(), 100, 204, ""},
		"declared": {"POST", s.path(), 9 << 20, 413, saysTooLarge},
	} {
		for _, expects := range []bool{false, true} {
			t.Run(fmt.Sprint(name, expects), func(t *testing.T) {
				t.Parallel()
				head, first := "", "x" // the HTTP server itself waits for one byte
				if expects {
					head, first = "Expect: 100-continue\r\n", ""
				}
				c := r.dial()
				_, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n%s", row.method, row.target, row.length, head, first)
				require.NoError(t, err)
				require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
				requireAnswer(t, r.answersOf(c, 1)[0], row.status, row.body)
			})
		}
	}
}

func TestExpectContinue_IsAnswered(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	c := r.dial()
	_, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n", s.path(), len(track))
	require.NoError(t, err)
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	got := make([]byte, len(goOn))
	_, err = io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, goOn, string(got))
	_, err = io.WriteString(c, track)
	require.NoError(t, err)
	requireAnswer(t, r.answersOf(c, 1)[0], 200, accepted(1, 1, 0))
}

// Of messages that have one id all are accepted, and one is stored: the first, whatever else they differ in.
func TestDuplicateInARequest_IsStoredOnce(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	message := func(id, more string) string { return `{"type":"track","event":"E","messageId":` + id + more + `}` }
	first := []string{message(`"a"`, `,"timestamp":"2026-05-01"`), message(`"b"`, ``), message(`7`, ``), message(`"7"`, ``), message(`""`, `,"n":1`), message(`null`, ``)}
	again := []string{message(`"a"`, `,"timestamp":"2026-04-01"`), message(`"b"`, ``), message(`7`, `,"x":1`)}
	noID := []string{message(`""`, `,"n":2`), message(`null`, ``), track, track}
	body := "[" + strings.Join(first, ",") + "," + strings.Join(again, ",") + "," + strings.Join(noID, ",") + "]"
	requireAnswer(t, r.post(s.path(), body), 200, accepted(13, 13, 0))
	require.Equal(t, append(first, noID...), values(r.records(ingest)))
	requireAnswer(t, r.post(s.path(), "["+again[0]+","+again[1]+"]"), 200, accepted(2, 2, 0))
	require.Len(t, r.records(ingest), 12, "what was seen in one request is forgotten in the next")
	r.requireMetric("messages_accepted_total", "15")
	r.requireNothingHeld()
}

// A body that is decompressed holds a place; one that gets none in time is told to come again.
func TestDecompressionsAreBounded(t *testing.T) {
	r, _ := start(t, func(c *Config) { c.MaxDecompressions = 1 })
	s := r.create(connection.CreateParams{})
	r.service.handler.decompressing <- struct{}{}
	requireAnswer(t, r.post(s.path(), pack(t, "gzip", track), "Content-Encoding", "gzip"), 429, saysOverloaded)
	<-r.service.handler.decompressing
	requireAnswer(t, r.post(s.path(), pack(t, "gzip", track), "Content-Encoding", "gzip"), 200, accepted(1, 1, 0))
	require.Empty(t, r.service.handler.decompressing)
	r.requireNothingHeld()
}
