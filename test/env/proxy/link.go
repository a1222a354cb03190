package proxy

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// dialTimeout is how long a node may take to take a connection.
const dialTimeout = 5 * time.Second

// Link is the network between one process and the nodes of one service. Its zero state lets everything
// through.
type Link struct {
	nodes []*node
	kafka bool

	mu    sync.Mutex
	fault fault
	delay time.Duration
	conns map[net.Conn]struct{}
}

// fault is what becomes of bytes.
type fault int

const (
	none    fault = iota
	cut           // swallowed in both directions
	oneSide       // what the nodes say is swallowed
)

// node is one node's listener on our side.
type node struct {
	listener net.Listener
	addr     string // the node's own
}

// New makes a link to nodes of any service, at host:port each. The caller has to Close it.
func New(nodes ...string) (*Link, error) { return newLink(false, nodes) }

// NewKafka makes a link to the brokers of a cluster, all of which have to be named.
func NewKafka(brokers ...string) (*Link, error) { return newLink(true, brokers) }

func newLink(kafka bool, addrs []string) (*Link, error) {
	l := &Link{kafka: kafka, conns: map[net.Conn]struct{}{}}
	for _, addr := range addrs {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("make a link to %s: %w", addr, err)
		}
		l.nodes = append(l.nodes, &node{listener, addr})
	}
	for _, n := range l.nodes {
		go l.accept(n)
	}
	return l, nil
}

// Addrs are where the process finds the nodes, in their order.
func (l *Link) Addrs() []string {
	var addrs []string
	for _, n := range l.nodes {
		addrs = append(addrs, n.listener.Addr().String())
	}
	return addrs
}

// Cut swallows everything from now on, in both directions, without a word to either side: a partition, not
// a reset. New connections are taken and get no answer.
func (l *Link) Cut() { l.set(cut, 0) }

// CutAnswers swallows what the nodes say: what the process asks for is done, and it does not learn of it.
func (l *Link) CutAnswers() { l.set(oneSide, 0) }

// Delay has everything take so much longer, each way.
func (l *Link) Delay(by time.Duration) { l.set(none, by) }

// Heal ends whatever there is. Where bytes were swallowed, connections are reset.
func (l *Link) Heal() {
	l.mu.Lock()
	swallowed := l.fault != none
	l.mu.Unlock()
	l.set(none, 0)
	if swallowed {
		l.Reset()
	}
}

// Reset ends all connections there are.
func (l *Link) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		abort(c)
	}
	clear(l.conns)
}

// abort resets a connection: one that ends in order would say that the node has had enough of its client.
func abort(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// Close ends the link.
func (l *Link) Close() {
	for _, n := range l.nodes {
		n.listener.Close()
	}
	l.set(cut, 0)
	l.Reset()
}

func (l *Link) set(f fault, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault, l.delay = f, delay
}

func (l *Link) state() (fault, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault, l.delay
}

func (l *Link) accept(n *node) {
	for {
		client, err := n.listener.Accept()
		if err != nil {
			return
		}
		l.hold(client)
		go l.serve(client, n)
	}
}

func (l *Link) hold(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = struct{}{}
}

func (l *Link) drop(c net.Conn) {
	abort(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

func (l *Link) serve(client net.Conn, n *node) {
	defer l.drop(client)
	if f, _ := l.state(); f == cut {
		_, _ = io.Copy(io.Discard, client) // until it is reset
		return
	}
	server, err := net.DialTimeout("tcp", n.addr, dialTimeout)
	if err != nil {
		return
	}
	l.hold(server)
	defer l.drop(server)
	var there, back reader = whatever, whatever
	if l.kafka {
		there, back = l.kafkaFrames()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.pump(server, client, there, false)
		abort(server)
	}()
	l.pump(client, server, back, true)
	abort(client)
	<-done
}
