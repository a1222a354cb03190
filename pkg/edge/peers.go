package edge

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/pkg/clientip"
)

func addressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return clientip.Plain(tcp.AddrPort().Addr())
	}
	return netip.Addr{}
}

// peerLimit is a listener that lets no address have more than its share of the connections. Trusted
// proxies speak for many and are not limited.
type peerLimit struct {
	net.Listener
	most    int
	trusted clientip.Proxies

	mu       sync.Mutex
	open     map[netip.Addr]int
	rejected atomic.Int64
}

func newPeerLimit(l net.Listener, most int, trusted clientip.Proxies) *peerLimit {
	return &peerLimit{Listener: l, most: most, trusted: trusted, open: map[netip.Addr]int{}}
}

// Accept closes the connections that are too many without a word: a stranger who opens thousands gets no
// work out of us.
func (l *peerLimit) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		share := clientip.ShareOf(addressOf(conn.RemoteAddr()))
		if l.trusted.Trust(addressOf(conn.RemoteAddr())) {
			return &caller{lazyConn: lazyConn{Conn: conn}, leave: func() {}}, nil
		}
		if l.enter(share) {
			return &caller{lazyConn: lazyConn{Conn: conn}, leave: sync.OnceFunc(func() { l.exit(share) })}, nil
		}
		l.rejected.Add(1)
		_ = conn.Close() // it was never ours
	}
}

func (l *peerLimit) enter(share netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[share] >= l.most {
		return false
	}
	l.open[share]++
	return true
}

func (l *peerLimit) exit(share netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[share]--; l.open[share] == 0 {
		delete(l.open, share)
	}
}

// caller is a connection, and who is at its other end.
type caller struct {
	lazyConn
	leave func()
	spoke bool // a request has begun; of the goroutine that serves the connection

	early atomic.Bool // the last answer may have come before all of its request
}

// callerOf is nil for a connection that did not come from here.
func callerOf(c net.Conn) *caller {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	who, _ := c.(*caller)
	return who
}

// Close gives the place back. It waits for a sender that was answered early.
func (c *caller) Close() error {
	defer c.leave()
	if c.early.Load() {
		linger(c.Conn)
	}
	return c.lazyConn.Close()
}

// answeredEarly has the connection's end wait for who may be sending still.
func answeredEarly(c net.Conn) {
	if who := callerOf(c); who != nil {
		who.early.Store(true)
	}
}
