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

// addressLimit is a listener that bounds the open connections of one address. Trusted proxies are not limited: they
// carry the connections of many clients.
type addressLimit struct {
	net.Listener
	max     int
	trusted clientip.Proxies

	mu       sync.Mutex
	open     map[netip.Addr]int
	rejected atomic.Int64
}

func newAddressLimit(l net.Listener, most int, trusted clientip.Proxies) *addressLimit {
	return &addressLimit{Listener: l, max: most, trusted: trusted, open: map[netip.Addr]int{}}
}

// Accept closes connections over the limit without an answer, so that they cost no work.
func (l *addressLimit) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		share := clientip.ShareOf(addressOf(conn.RemoteAddr()))
		if l.trusted.Trust(addressOf(conn.RemoteAddr())) {
			return &clientConn{lazyConn: lazyConn{Conn: conn}, leave: func() {}}, nil
		}
		if l.enter(share) {
			return &clientConn{lazyConn: lazyConn{Conn: conn}, leave: sync.OnceFunc(func() { l.exit(share) })}, nil
		}
		l.rejected.Add(1)
		_ = conn.Close()
	}
}

func (l *addressLimit) enter(share netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[share] >= l.max {
		return false
	}
	l.open[share]++
	return true
}

func (l *addressLimit) exit(share netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[share]--; l.open[share] == 0 {
		delete(l.open, share)
	}
}

// clientConn is a client's connection.
type clientConn struct {
	lazyConn
	leave        func()
	requestBegun bool // owned by the goroutine that serves the connection

	answeredEarly atomic.Bool // the last answer may have preceded the end of its request
}

// clientConnOf returns nil for a connection that addressLimit did not accept.
func clientConnOf(c net.Conn) *clientConn {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	client, _ := c.(*clientConn)
	return client
}

// Close frees the address's slot. It lingers if the sender was answered early.
func (c *clientConn) Close() error {
	defer c.leave()
	if c.answeredEarly.Load() {
		linger(c.Conn)
	}
	return c.lazyConn.Close()
}

// markAnsweredEarly makes Close linger, because the sender may still be sending.
func markAnsweredEarly(c net.Conn) {
	if client := clientConnOf(c); client != nil {
		client.answeredEarly.Store(true)
	}
}
