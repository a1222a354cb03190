package embeddedtest

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Proxy stands between one client and a broker, and can be cut: the network between them. It puts its own
// address into what the broker says of itself, so that everything the client does goes through it.
type Proxy struct {
	t        testing.TB
	listener net.Listener
	broker   string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

// NewProxy starts a proxy to a broker of one node.
func NewProxy(t testing.TB, broker string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{t: t, listener: listener, broker: broker, conns: map[net.Conn]struct{}{}}
	go p.accept()
	t.Cleanup(func() {
		listener.Close()
		p.Cut()
	})
	return p
}

// Addr is where the client finds its broker.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut swallows everything from now on, in both directions, without a word to either side: a partition, not
// a reset. New connections are taken and get no answer.
func (p *Proxy) Cut() { p.set(true) }

// Heal ends a Cut. Connections from before are reset, for what they swallowed is gone.
func (p *Proxy) Heal() { p.set(false) }

func (p *Proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for c := range p.conns {
		if !cut {
			c.Close()
			delete(p.conns, c)
		}
	}
}

func (p *Proxy) isCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.conns[client] = struct{}{}
		p.mu.Unlock()
		go p.serve(client)
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	if p.isCut() {
		_, _ = io.Copy(io.Discard, client) // until Heal resets it
		return
	}
	broker, err := net.DialTimeout("tcp", p.broker, 5*time.Second)
	if err != nil {
		return
	}
	defer broker.Close()
	requests := &asked{}
	go func() {
		defer broker.Close()
		p.pump(broker, client, requests.note)
	}()
	p.pump(client, broker, func(frame []byte) []byte { return p.rewrite(frame, requests) })
}

// pump passes frames on until one side ends.
func (p *Proxy) pump(to io.Writer, from io.Reader, each func([]byte) []byte) {
	for {
		var size [4]byte
		if _, err := io.ReadFull(from, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(from, frame); err != nil {
			return
		}
		frame = each(frame)
		if p.isCut() {
			continue
		}
		if _, err := to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
			return
		}
	}
}

// asked remembers which request an answer belongs to.
type asked struct{ requests sync.Map }

type ask struct{ key, version int16 }

func (a *asked) note(frame []byte) []byte {
	if len(frame) >= 8 {
		a.requests.Store(string(frame[4:8]), ask{int16(binary.BigEndian.Uint16(frame)), int16(binary.BigEndian.Uint16(frame[2:]))})
	}
	return frame
}

// rewrite puts the proxy's address into answers that name the broker's.
func (p *Proxy) rewrite(frame []byte, requests *asked) []byte {
	v, ok := requests.requests.LoadAndDelete(string(frame[:4]))
	if !ok {
		return frame
	}
	a := v.(ask)
	answer := kmsg.ResponseForKey(a.key)
	switch answer.(type) {
	case *kmsg.MetadataResponse, *kmsg.FindCoordinatorResponse:
	default:
		return frame
	}
	answer.SetVersion(a.version)
	head := 4
	if answer.IsFlexible() {
		head++ // no tags
	}
	if err := answer.ReadFrom(frame[head:]); err != nil {
		return frame
	}
	p.replace(answer)
	return answer.AppendTo(frame[:head:head])
}

func (p *Proxy) replace(answer kmsg.Response) {
	host, text, _ := net.SplitHostPort(p.Addr())
	n, err := strconv.Atoi(text)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	port := int32(n)
	switch answer := answer.(type) {
	case *kmsg.MetadataResponse:
		for i := range answer.Brokers {
			answer.Brokers[i].Host, answer.Brokers[i].Port = host, port
		}
	case *kmsg.FindCoordinatorResponse:
		answer.Host, answer.Port = host, port
		for i := range answer.Coordinators {
			answer.Coordinators[i].Host, answer.Coordinators[i].Port = host, port
		}
	}
}
