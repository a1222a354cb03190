// Package peer tells who is at the other end of a connection, also behind proxies whose word is believed.
package clientip

import (
	"fmt"
	"net/netip"
	"strings"
)

// Proxies are the addresses whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// ParseProxies reads addresses and prefixes such as 10.0.0.0/8.
func ParseProxies(texts []string) (Proxies, error) {
	var list Proxies
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); err != nil && addrErr == nil {
			addr = Plain(addr)
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a prefix such as 10.0.0.0/8", text)
		}
		list = append(list, prefix.Masked())
	}
	return list, nil
}

// Trust tells whether an address is one of them.
func (p Proxies) Trust(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Client is who sent a request: the peer, or, where that is a trusted proxy, the last address in X-Forwarded-For that no trusted
// proxy has.
func (p Proxies) Client(peer netip.Addr, forwardedFor string) netip.Addr {
	for p.Trust(peer) && len(forwardedFor) > 0 {
		i := strings.LastIndexByte(forwardedFor, ',')
		addr, err := netip.ParseAddr(strings.TrimSpace(forwardedFor[i+1:]))
		if err != nil {
			break
		}
		peer, forwardedFor = Plain(addr), forwardedFor[:max(i, 0)]
	}
	return peer
}

// Plain leaves out what says nothing of who it is: that an IPv4 address is written as an IPv6 one, and the zone, which may be
// any text.
func Plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// ShareOf makes the usual allocation of one IPv6 site, a /64, count as one address.
func ShareOf(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		prefix, _ := addr.Prefix(64) // no error for 64 bits of an IPv6 address
		return prefix.Addr()
	}
	return addr
}
