package clientip

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClientAddress(t *testing.T) {
	trusted, err := ParseProxies([]string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"})
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
		require.Equal(t, c.want, trusted.Client(netip.MustParseAddr(c.peer), c.header).String(), c)
	}
	_, err = ParseProxies([]string{"10.0.0.0/33"})
	require.ErrorContains(t, err, "10.0.0.0/33")
}

func TestShareOf_IPv6_IsTheSite(t *testing.T) {
	require.Equal(t, ShareOf(netip.MustParseAddr("2001:db8::1")), ShareOf(netip.MustParseAddr("2001:db8::2")))
	require.NotEqual(t, ShareOf(netip.MustParseAddr("2001:db8::1")), ShareOf(netip.MustParseAddr("2001:db8:0:1::1")))
	require.Equal(t, "192.0.2.1", ShareOf(netip.MustParseAddr("192.0.2.1")).String())
}
