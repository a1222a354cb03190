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

// senderOf is a sender that reads nothing before it has sent everything, as simple ones do. It is told of a reset by an
// error of either.
func senderOf(c net.Conn, pieces ...any) (string, error) {
	for _, piece := range pieces {
		if pause, ok := piece.(time.Duration); ok {
			time.Sleep(pause)
			continue
		}
		if _, err := io.WriteString(c, piece.(string)); err != nil {
			return "", err
		}
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return fmt.Sprint(response.StatusCode, " ", string(body)), err
}

// A sender that has not sent everything yet has its answer, and no reset before it.
func TestEarlyAnswer_ReachesAnActiveSender(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	huge := strings.Repeat(" ", 10<<20)
	head := func(target string, headers ...string) string {
		return "POST " + target + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")
	}
	length, tooLarge := fmt.Sprintf("Content-Length: %d", len(huge)), "413 "+saysTooLarge
	for name, row := range map[string]struct {
		want   string
		pieces []any
	}{
		"length":             {tooLarge, []any{head(s.path(), length), huge}},
		"chunked":            {tooLarge, []any{head(s.path(), "Transfer-Encoding: chunked"), fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(huge), huge)}},
		"expect":             {tooLarge, []any{head(s.path(), length, "Expect: 100-continue"), huge}},
		"expect, no token":   {"401 " + saysUnauthorized, []any{head("/v1/segment/canary", length, "Expect: 100-continue"), huge}},
		"a pause":            {tooLarge, []any{head(s.path(), length), huge[:9<<20], bodyPause + 2*deadlineSlack, huge[9<<20 : 19<<19], bodyPause / 20, huge[19<<19:]}},
		"a header too large": {"431 " + saysHeaders, []any{head(s.path(), "X-Long: "+huge)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := senderOf(r.dial(), row.pieces...)
			require.NoError(t, err)
			require.Equal(t, row.want, got)
		})
	}
}

// An endless sender is cut off, and one that says nothing more, and neither holds its place any longer.
func TestEarlyAnswer_EndlessSender_IsClosed(t *testing.T) {
	r, _ := start(t)
	head := "POST /v1/segment/canary HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\nExpect: 100-continue\r\n\r\n"
	endless, silent := r.dial(), r.dial()
	_, err := io.WriteString(silent, head)
	require.NoError(t, err)
	_, err = io.WriteString(endless, head)
	require.NoError(t, err)
	piece, sent := make([]byte, 1<<20), 0
	for err == nil {
		var n int
		n, err = endless.Write(piece)
		sent += n
	}
	require.Greater(t, sent, drainBytes, "the control: it was let send for a while")
	require.Less(t, sent, drainBytes+32<<20, "and what the network holds beside")
	requireAnswer(t, r.answersOf(silent, 1)[0], 401, saysUnauthorized)
	requireClosed(t, silent) // of our own accord: it has not closed its side
	require.Eventually(t, func() bool {
		r.service.limit.mu.Lock()
		defer r.service.limit.mu.Unlock()
		return len(r.service.limit.open) == 0
	}, patience, poll)
}
