package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/test/env"
)

const tokenKey = "MILLRACE_TOKEN_KEY=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// server is an edge or a loader of its own.
type server struct {
	*process
	http, admin string
}

var addresses = regexp.MustCompile(`(http|admin)=(\S+)`)

func startServer(t testing.TB, name string, args ...string) *server {
	t.Helper()
	s := &server{process: start(t, []string{tokenKey}, name, append(args, "--admin", "127.0.0.1:0")...)}
	require.Eventually(t, func() bool {
		for _, m := range addresses.FindAllStringSubmatch(s.output.String(), -1) {
			if m[1] == "http" {
				s.http = m[2]
			} else {
				s.admin = m[2]
			}
		}
		return s.admin != ""
	}, patience, 10*time.Millisecond, "%s: %s", name, s.output)
	return s
}

func (s *server) awaitReady() {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.ready() == http.StatusOK }, patience, poll, "%s", s.output)
}

func (s *server) ready() int {
	response, err := http.Get(s.admin + "/readyz")
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

func admin(t testing.TB, broker string, args ...string) shown {
	t.Helper()
	out, errs, err := run(t, []string{tokenKey}, "millrace", append([]string{"connections", "--brokers", broker, "--output", "json"}, args...)...)
	require.NoError(t, err, errs)
	var s shown
	require.NoError(t, json.Unmarshal([]byte(out), &s), out)
	return s
}

// The production set-up: every part a process of its own, found by its flags.
func TestEdgeAndLoader_SeparateProcesses(t *testing.T) {
	broker, db := env.Broker(t), env.ClickHouse(t)
	clickhouse := []string{"--clickhouse", db.Addr(), "--database", db.Name}
	out, errs, err := run(t, nil, "millrace", append([]string{"migrate"}, clickhouse...)...)
	require.NoError(t, err, errs)
	require.Contains(t, out, "is up to date")

	edge := startServer(t, "edge", "--brokers", broker.Addr(), "--http", "127.0.0.1:0", "--redis", "redis://"+env.Redis(t).Addr())
	loader := startServer(t, "loader", append([]string{"--brokers", broker.Addr()}, clickhouse...)...)
	edge.awaitReady()
	loader.awaitReady()
	made := admin(t, broker.Addr(), "create", "--product", "p1", "--public-url", edge.http)
	status, _ := post(t, made.URL, sample)
	require.Equal(t, 200, status)
	require.Eventually(t, func() bool {
		return db.Exec(t, "SELECT product_id, message_id FROM outcomes FORMAT TSV") == "p1\tmsg_test_001"
	}, patience, poll)
	require.NoError(t, edge.stop())
	require.NoError(t, loader.stop())
	for _, s := range []*server{edge, loader} {
		require.NotContains(t, s.output.String(), made.Token)
	}
}

// change is something done to a connection, and the answers by the old state that must end with it.
type change struct {
	name string
	args []string
	old  int
}

// When a change returns it is in force: no edge answers by the old state any more, not even one that was
// cut off from the broker and cannot know.
func TestConnections_Change_IsInForceOnEveryEdge(t *testing.T) {
	env.KfakeOnly(t)
	t.Parallel()
	broker := env.Broker(t)
	var edges []*server
	var proxies []*env.Proxy
	for range 3 {
		proxy := env.NewProxy(t, broker.Addr())
		edges = append(edges, startServer(t, "edge", "--brokers", proxy.Addr(), "--http", "127.0.0.1:0", "--produce-timeout", "2s"))
		proxies = append(proxies, proxy)
	}
	for _, e := range edges {
		e.awaitReady()
	}
	for _, c := range []change{
		{"rotate", []string{"rotate"}, http.StatusOK},
		{"pause", []string{"pause"}, http.StatusOK},
		{"disconnect", []string{"disconnect"}, http.StatusOK},
		{"secret set", []string{"secret", "set"}, http.StatusOK},
		{"delete", []string{"delete"}, http.StatusOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			made := admin(t, broker.Addr(), "create", "--product", "p")
			h := newHammer(edges, made.Token)
			require.Eventually(t, func() bool { return h.all(c.old, 20) }, patience, poll, "each edge answers by the old state")
			proxies[2].Cut()
			begin := time.Now()
			args := append(c.args, made.ConnectionID)
			if c.name == "secret set" {
				args = append(args, "a new secret")
			}
			admin(t, broker.Addr(), args...)
			h.changed.Store(true)
			t.Logf("%s took %s", c.name, time.Since(begin))
			time.Sleep(2 * time.Second)
			proxies[2].Heal()
			time.Sleep(2 * time.Second)
			h.stop()
			for i := range edges {
				require.Zero(t, h.late[i][c.old], "edge %d answered by the old state after the change", i)
				require.NotEmpty(t, h.late[i], "the control: edge %d was asked after the change", i)
			}
			require.NotZero(t, h.late[2][http.StatusInternalServerError], "the control: the edge that was cut off stopped trusting what it knew")
		})
	}
}

// hammer asks every edge with one token all the time.
type hammer struct {
	changed flag
	mu      sync.Mutex
	early   []map[int]int // by edge: answers by status, before the change returned
	late    []map[int]int // and after
	cancel  context.CancelFunc
	workers sync.WaitGroup
}

// flag is a bool that is read before and after a request.
type flag struct {
	mu sync.Mutex
	v  bool
}

func (f *flag) Store(v bool) { f.mu.Lock(); f.v = v; f.mu.Unlock() }
func (f *flag) Load() bool   { f.mu.Lock(); defer f.mu.Unlock(); return f.v }

func newHammer(edges []*server, token string) *hammer {
	ctx, cancel := context.WithCancel(context.Background())
	h := &hammer{cancel: cancel}
	for i, e := range edges {
		h.early, h.late = append(h.early, map[int]int{}), append(h.late, map[int]int{})
		for w := range 2 {
			h.workers.Go(func() { h.work(ctx, i, e.http+"/v1/segment/"+token, w) })
		}
	}
	return h
}

func (h *hammer) work(ctx context.Context, edge int, url string, worker int) {
	client := &http.Client{Timeout: 5 * time.Second}
	for n := 0; ctx.Err() == nil; n++ {
		status, _, err := tryPost(client, url, strings.ReplaceAll(sample, "msg_test_001", fmt.Sprintf("%d-%d-%d", edge, worker, n)))
		h.mu.Lock()
		if err == nil && h.changed.Load() { // counted by when the answer came, not by when the request went out
			h.late[edge][status]++
		} else if err == nil {
			h.early[edge][status]++
		}
		h.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func (h *hammer) all(status, least int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, counts := range h.early {
		if counts[status] < least {
			return false
		}
	}
	return true
}

func (h *hammer) stop() {
	h.cancel()
	h.workers.Wait()
}
