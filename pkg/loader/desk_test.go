package loader

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// badRoute is a way to ClickHouse on which questions that name a product's activities break, or get no answer.
type badRoute struct {
	net.Listener
	to    string
	text  []byte // a question that has it
	hang  bool
	open  atomic.Bool // lets all through
	stops atomic.Int64
	wait  sync.WaitGroup
}

func (w *world) badRoute(t *testing.T, product string, hang bool) *badRoute {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &badRoute{Listener: listener, to: w.db.Addr(), text: []byte(product), hang: hang}
	r.wait.Go(func() {
		for {
			c, err := r.Accept()
			if err != nil {
				return
			}
			r.wait.Go(func() { r.pass(c) })
		}
	})
	t.Cleanup(func() { r.Close(); r.wait.Wait() })
	w.config.Warehouse.ClickHouse = listener.Addr().String()
	return r
}

func (r *badRoute) pass(c net.Conn) {
	defer c.Close()
	server, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer server.Close()
	r.wait.Go(func() {
		_, _ = io.Copy(c, server) // until either ends
		c.Close()
	})
	b := make([]byte, 1<<20)
	var asked []byte
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		asked = append(asked[max(0, len(asked)-1<<16):], b[:n]...)
		about := bytes.LastIndex(asked, []byte("FROM conversation_activity FINAL WHERE product_id IN"))
		if !r.open.Load() && about >= 0 && bytes.Contains(asked[about:], r.text) {
			r.stops.Add(1)
			if r.hang {
				_, _ = io.Copy(io.Discard, c) // until the loader gives up
			}
			return
		}
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
	}
}

// A workspace whose news cannot be worked in, or whose pass takes for ever, waits alone.
func TestAWorkspaceInTroubleHoldsUpNoOther(t *testing.T) {
	kfakeOnly(t)
	t.Parallel()
	for _, hang := range []bool{false, true} {
		t.Run(fmt.Sprintf("hang=%v", hang), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2)
			w.config.Warehouse.Timeout = 2 * time.Second
			route := w.badRoute(t, "poisoned", hang)
			loader := w.load(t)
			in := func(workspace, product string, m said) said {
				m.workspace, m.product = workspace, product
				return m
			}
			var events, people []said
			want, early := map[string]string{}, map[string]string{}
			for i := range 20 {
				id, user := fmt.Sprint(i), fmt.Sprintf("u%d", i)
				workspace, product := fmt.Sprintf("w%d", i), fmt.Sprintf("product %d", i)
				if i == 7 {
					product = "poisoned"
				}
				events = append(events, in(workspace, product, happened(id, user, "", 0)))
				people = append(people, in(workspace, product, identify(user, "", 0)))
				want[id] = "known"
				if early[id] = "known"; i == 7 {
					early[id] = "-"
				}
			}
			w.say(t, events...)
			w.caughtUp(t)
			w.say(t, people...)
			w.know(t, early)
			eventually(t, func() bool { return route.stops.Load() > 0 }, "the control: there was trouble")
			w.say(t, in("w3", "product 3", happened("later", "u99", "", 0)))
			w.caughtUp(t)
			w.say(t, in("w3", "product 3", identify("u99", "", 0)))
			early["later"], want["later"] = "known", "known"
			w.know(t, early)
			require.NotZero(t, loader.value(t, "millrace_loader_reattribution_lag_seconds", ""), "the one waits")
			route.open.Store(true)
			w.know(t, want)
		})
	}
}

// know waits for the events' users to be known or not.
func (w *world) know(t *testing.T, want map[string]string) {
	t.Helper()
	var got map[string]string
	for deadline := time.Now().Add(3 * time.Minute); !maps.Equal(got, want) && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		got = map[string]string{}
		for line := range strings.Lines(w.db.Exec(t, "SELECT substring(insert_id, 5), if(user_id IS NULL, '-', 'known') FROM outcomes")) {
			f := strings.Split(strings.TrimSpace(line), "\t")
			got[f[0]] = f[1]
		}
	}
	require.Equal(t, want, got)
}
