package env

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/test/env/proxy"
)

// Proxy stands between one client and a broker of one node, and can be cut: the network between them.
type Proxy struct{ *proxy.Link }

// NewProxy starts a proxy, closed when the test ends.
func NewProxy(t testing.TB, broker string) *Proxy {
	t.Helper()
	link, err := proxy.NewKafka(broker)
	require.NoError(t, err)
	t.Cleanup(link.Close)
	return &Proxy{link}
}

// Addr is where the client finds its broker.
func (p *Proxy) Addr() string { return p.Addrs()[0] }
