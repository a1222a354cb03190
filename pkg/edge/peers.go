package edge

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// proxies are the addresses whose X-Forwarded-For is believed.
type proxies []netip.Prefix

// parseProxies reads addresses and prefixes such as 10.0.0.0/8.
func parseProxies(texts []string) (proxies, error) {
	var list proxies
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); err != nil && addrErr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies: %q is neither an address nor a prefix such as 10.0.0.0/8", text)
		}
		list = append(list, prefix.Masked())
	}
	return list, nil
}

func (p proxies) trust(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// client is who sent a request: the peer, or, where that is a trusted proxy, the last address in
// X-Forwarded-For that no trusted proxy has.
func (p proxies) client(peer netip.Addr, forwardedFor []byte) netip.Addr {
	for p.trust(peer) && len(forwardedFor) > 0 {
		i := bytes.LastIndexByte(forwardedFor, ',')
		addr, err := netip.ParseAddr(string(bytes.TrimSpace(forwardedFor[i+1:])))
		if err != nil {
			break
		}
		peer, forwardedFor = addr.Unmap(), forwardedFor[:max(i, 0)]
	}
	return peer
}

func addressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// peerLimit is a listener that lets no address have more than its share of the connections. Trusted
// proxies speak for many and are not limited.
type peerLimit struct {
	net.Listener
	most    int
	trusted proxies

	mu       sync.Mutex
	open     map[netip.Addr]int
	rejected atomic.Int64
}

func newPeerLimit(l net.Listener, most int, trusted proxies) *peerLimit {
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
		share := shareOf(addressOf(conn.RemoteAddr()))
		if l.trusted.trust(addressOf(conn.RemoteAddr())) {
			return &caller{lazyConn: lazyConn{Conn: conn}, leave: func() {}}, nil
		}
		if l.enter(share) {
			return &caller{lazyConn: lazyConn{Conn: conn}, leave: sync.OnceFunc(func() { l.exit(share) })}, nil
		}
		l.rejected.Add(1)
		_ = conn.Close() // it was never ours
	}
}

// shareOf makes the usual allocation of one IPv6 site, a /64, count as one address.
func shareOf(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		prefix, _ := addr.Prefix(64) // no error for 64 bits of an IPv6 address
		return prefix.Addr()
	}
	return addr
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
