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

// faultyProxy forwards to ClickHouse, except queries for activities of one product: it closes their connections, or
// never answers.
type faultyProxy struct {
	net.Listener
	to     string
	text   []byte // in the queries that fail
	hang   bool
	off    atomic.Bool // forwards everything
	faults atomic.Int64
	wait   sync.WaitGroup
}

func (w *world) faultyProxy(t *testing.T, product string, hang bool) *faultyProxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &faultyProxy{Listener: listener, to: w.db.Addr(), text: []byte(product), hang: hang}
	r.wait.Go(func() {
		for {
			c, err := r.Accept()
			if err != nil {
				return
			}
			r.wait.Go(func() { r.forward(c) })
		}
	})
	t.Cleanup(func() { r.Close(); r.wait.Wait() })
	w.config.Warehouse.ClickHouse = listener.Addr().String()
	return r
}

func (r *faultyProxy) forward(c net.Conn) {
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
	var received []byte
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		received = append(received[max(0, len(received)-1<<16):], b[:n]...)
		about := bytes.LastIndex(received, []byte("FROM conversation_activity FINAL\n\t\tWHERE product_id IN"))
		if !r.off.Load() && about >= 0 && bytes.Contains(received[about:], r.text) {
			r.faults.Add(1)
			if r.hang {
				_, _ = io.Copy(io.Discard, c) // until the loader closes the connection
			}
			return
		}
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
	}
}

// The changes of one workspace cannot be applied, or its pass never ends. Other workspaces are not delayed.
func TestLoader_RevisionOfOneWorkspaceFails_DelaysNoOther(t *testing.T) {
	kfakeOnly(t)
	t.Parallel()
	for _, hang := range []bool{false, true} {
		t.Run(fmt.Sprintf("hang=%v", hang), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2)
			w.config.Warehouse.Timeout = 2 * time.Second
			route := w.faultyProxy(t, "faulty", hang)
			loader := w.load(t)
			in := func(workspace, product string, m testMessage) testMessage {
				m.workspace, m.product = workspace, product
				return m
			}
			var events, identifies []testMessage
			want, early := map[string]string{}, map[string]string{}
			for i := range 20 {
				id, user := fmt.Sprint(i), fmt.Sprintf("u%d", i)
				workspace, product := fmt.Sprintf("w%d", i), fmt.Sprintf("product %d", i)
				if i == 7 {
					product = "faulty"
				}
				events = append(events, in(workspace, product, newEvent(id, user, "", 0)))
				identifies = append(identifies, in(workspace, product, newIdentify(user, "", 0)))
				want[id] = "known"
				if early[id] = "known"; i == 7 {
					early[id] = "-"
				}
			}
			w.send(t, events...)
			w.caughtUp(t)
			w.send(t, identifies...)
			w.awaitKnown(t, early)
			eventually(t, func() bool { return route.faults.Load() > 0 }, "the control: the proxy failed a query")
			w.send(t, in("w3", "product 3", newEvent("later", "u99", "", 0)))
			w.caughtUp(t)
			w.send(t, in("w3", "product 3", newIdentify("u99", "", 0)))
			early["later"], want["later"] = "known", "known"
			w.awaitKnown(t, early)
			require.NotZero(t, loader.value(t, "millrace_loader_reattribution_lag_seconds", ""), "the failing workspace waits")
			route.off.Store(true)
			w.awaitKnown(t, want)
		})
	}
}

// awaitKnown waits until the users of events are known, or not, as wanted.
func (w *world) awaitKnown(t *testing.T, want map[string]string) {
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
