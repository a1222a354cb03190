package guard

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxUserBytes is the longest name of a user that is believed.
const maxUserBytes = 256

// proxies are the addresses whose word is believed.
type proxies []netip.Prefix

// parseProxies reads addresses and prefixes such as 10.0.0.0/8.
func parseProxies(texts []string) (proxies, error) {
	var list proxies
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); err != nil && addrErr == nil {
			prefix, err = addr.WithZone("").Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("--console-proxy-from: %q is neither an address nor a prefix such as 10.0.0.0/8", text)
		}
		if prefix.Bits() == 0 {
			return nil, fmt.Errorf("--console-proxy-from: with %q anybody could name himself as any user: name the proxies' own addresses", text)
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
func (p proxies) client(r *http.Request) netip.Addr {
	addr := peerOf(r)
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(said) - 1; i >= 0 && p.trust(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(said[i]))
		if err != nil {
			break
		}
		addr = plain(next)
	}
	return addr
}

// peerOf is the other end of a request's connection.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // nobody's, so not trusted, and one share of the limits for all of them
	}
	return plain(peer.Addr())
}

// plain leaves out what says nothing of who it is: that an IPv4 address is written as an IPv6 one, and the zone, which may be
// any text.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// shareOf makes the usual allocation of one IPv6 site, a /64, count as one address.
func shareOf(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		prefix, _ := addr.Prefix(64) // no error for 64 bits of an IPv6 address
		return prefix.Addr()
	}
	return addr
}

// vouched is the user whom a trusted proxy names. Where the header is there twice one may be what the user sent, so neither
// counts.
func (r *rules) vouched(request *http.Request) (name string, ok bool) {
	if r.header == "" || !r.proxies.trust(peerOf(request)) {
		return "", false
	}
	values := request.Header[r.header]
	if len(values) != 1 {
		return "", false
	}
	name = strings.TrimSpace(values[0])
	unprintable := func(c rune) bool { return !unicode.IsPrint(c) }
	return name, name != "" && len(name) <= maxUserBytes && utf8.ValidString(name) && !strings.ContainsFunc(name, unprintable)
}
