//go:build linux

package load

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/bench/traffic"
)

func requests(n, messages int) []*Request {
	var all []*Request
	for _, body := range traffic.New(traffic.Default(1)).Bodies(n, messages) {
		all = append(all, NewRequest("/here", body))
	}
	return all
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// Every message arrives with a unique id, and Begin and End are called once.
func TestRun_ClosedLoop(t *testing.T) {
	var mu sync.Mutex
	ids, sent, marks := map[string]bool{}, 0, atomic.Int32{}
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Batch []struct{ MessageID string } }
		text, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(text, &body) != nil || r.URL.Path != "/here" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, m := range body.Batch {
			ids[m.MessageID] = true
			sent++
		}
	})
	r, err := Run(t.Context(), Config{
		Addr: addr, Connections: 3, Requests: requests(7, 5), NewIDs: 99, For: 300 * time.Millisecond,
		Begin: func() { marks.Add(1) }, End: func() { marks.Add(10) },
	})
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.EqualValues(t, 11, marks.Load())
	require.Len(t, ids, sent)
	require.Positive(t, r.Messages)
	require.LessOrEqual(t, r.Messages, sent, "requests across the start or the end do not count")
	require.Equal(t, r.Requests*5, r.Messages)
	require.Positive(t, r.OwnCPU)
}

// A server that stalls pays for the requests that it delayed.
func TestRun_OpenLoop_LatencyCountsFromTheDueTime(t *testing.T) {
	const stall = 400 * time.Millisecond
	var served atomic.Int32
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if served.Add(1) == 10 {
			time.Sleep(stall)
		}
	})
	r, err := Run(t.Context(), Config{Addr: addr, Connections: 1, Requests: requests(1, 1), Rate: 100, For: time.Second})
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.GreaterOrEqual(t, r.Latency(100), stall)
	require.GreaterOrEqual(t, r.Latency(80), stall/4, "one request was slow, and forty more were due meanwhile")
}

func TestRun_OpenLoop_CountsUnsentRequests(t *testing.T) {
	addr := serve(t, func(http.ResponseWriter, *http.Request) { time.Sleep(200 * time.Millisecond) })
	r, err := Run(t.Context(), Config{Addr: addr, Connections: 2, Requests: requests(2, 1), Rate: 1000, For: 500 * time.Millisecond})
	require.NoError(t, err)
	require.InDelta(t, 500, r.Unsent+r.Requests, 5)
	require.Greater(t, r.Unsent, 450)
}

func TestRun_Refusals_AreAnError(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	r, err := Run(t.Context(), Config{Addr: addr, Connections: 1, Requests: requests(1, 1), For: 50 * time.Millisecond})
	require.NoError(t, err)
	require.ErrorContains(t, r.Err(), "with 503")
	require.Zero(t, r.Requests)
}
