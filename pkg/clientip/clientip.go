// Package clientip finds the address of a client, also behind trusted proxies.
package clientip

import (
	"fmt"
	"net/netip"
	"strings"
)

// Proxies are the addresses of trusted proxies: their X-Forwarded-For is used.
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

// Trust reports whether addr is a trusted proxy.
func (p Proxies) Trust(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Client returns the address of a request's sender. Behind a trusted proxy, it is the last address in
// X-Forwarded-For that is not a trusted proxy; otherwise it is remote, the address of the TCP connection.
func (p Proxies) Client(remote netip.Addr, forwardedFor string) netip.Addr {
	for p.Trust(remote) && len(forwardedFor) > 0 {
		i := strings.LastIndexByte(forwardedFor, ',')
		addr, err := netip.ParseAddr(strings.TrimSpace(forwardedFor[i+1:]))
		if err != nil {
			break
		}
		remote, forwardedFor = Plain(addr), forwardedFor[:max(i, 0)]
	}
	return remote
}

// Plain unmaps an IPv4 address that is written as IPv6, and removes the zone, which may be any text.
func Plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// ShareOf returns the address that limits count: the address itself for IPv4, its /64 for IPv6.
func ShareOf(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		prefix, _ := addr.Prefix(64) // no error for 64 bits of an IPv6 address
		return prefix.Addr()
	}
	return addr
}
