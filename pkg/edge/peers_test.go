package edge

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClientAddress(t *testing.T) {
	trusted, err := parseProxies([]string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"})
	require.NoError(t, err)
	for _, c := range []struct{ peer, header, want string }{
		{"203.0.113.5", "", "203.0.113.5"},
		{"203.0.113.5", "198.51.100.1", "203.0.113.5"}, // a stranger's header is not believed
		{"10.1.2.3", "", "10.1.2.3"},
		{"10.1.2.3", "198.51.100.1", "198.51.100.1"},
		{"10.1.2.3", "1.1.1.1, 198.51.100.1", "198.51.100.1"}, // what the client itself claims is not believed either
		{"10.1.2.3", "198.51.100.1, 10.9.9.9 , 192.0.2.7", "198.51.100.1"},
		{"10.1.2.3", "10.9.9.9", "10.9.9.9"},
		{"10.1.2.3", "nonsense", "10.1.2.3"},
		{"10.1.2.3", "198.51.100.1,", "10.1.2.3"},
		{"2001:db8::1", "::ffff:198.51.100.1", "198.51.100.1"},
	} {
		require.Equal(t, c.want, trusted.client(netip.MustParseAddr(c.peer), []byte(c.header)).String(), c)
	}
	_, err = parseProxies([]string{"10.0.0.0/33"})
	require.ErrorContains(t, err, "--trusted-proxies")
}

func TestAPeerHasItsShareOfTheConnections(t *testing.T) {
	for _, c := range []struct {
		name    string
		trusted []string
		refused bool
	}{{"stranger", nil, true}, {"trusted proxy", []string{"127.0.0.1"}, false}} {
		t.Run(c.name, func(t *testing.T) {
			inner, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			trusted, err := parseProxies(c.trusted)
			require.NoError(t, err)
			limit := newPeerLimit(inner, 2, trusted)
			defer limit.Close()
			accepted := make(chan net.Conn, 10)
			go func() {
				for {
					conn, err := limit.Accept()
					if err != nil {
						return
					}
					accepted <- conn
				}
			}()
			dial := func() net.Conn {
				conn, err := net.Dial("tcp", inner.Addr().String())
				require.NoError(t, err)
				t.Cleanup(func() { conn.Close() })
				return conn
			}
			dial()
			first := <-accepted
			dial()
			<-accepted
			third := dial()
			if !c.refused {
				<-accepted
				return
			}
			require.NoError(t, third.SetReadDeadline(time.Now().Add(10*time.Second)))
			_, err = third.Read(make([]byte, 1))
			require.Error(t, err, "it is closed")
			require.Equal(t, int64(1), limit.rejected.Load())
			require.NoError(t, first.Close())
			require.Error(t, first.Close(), "a place is given back once, however often it is closed")
			dial()
			<-accepted
		})
	}
}

func TestShareOfIPv6IsASite(t *testing.T) {
	require.Equal(t, shareOf(netip.MustParseAddr("2001:db8::1")), shareOf(netip.MustParseAddr("2001:db8::2")))
	require.NotEqual(t, shareOf(netip.MustParseAddr("2001:db8::1")), shareOf(netip.MustParseAddr("2001:db8:0:1::1")))
	require.Equal(t, "192.0.2.1", shareOf(netip.MustParseAddr("192.0.2.1")).String())
}
