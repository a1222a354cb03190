package auth

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/millrace/millrace/pkg/clientip"
)

// maxUserBytes is the longest name of a user that is believed.
const maxUserBytes = 256

// parseProxies reads addresses and prefixes of proxies that name users.
func parseProxies(texts []string) (clientip.Proxies, error) {
	list, err := clientip.ParseProxies(texts)
	if err != nil {
		return nil, fmt.Errorf("--console-proxy-from: %w", err)
	}
	for i, prefix := range list {
		if prefix.Bits() == 0 {
			return nil, fmt.Errorf("--console-proxy-from: with %q anybody could name himself as any user: name the proxies' own addresses", texts[i])
		}
	}
	return list, nil
}

// clientAddress is who sent a request, by the word of trusted proxies.
func clientAddress(p clientip.Proxies, r *http.Request) netip.Addr {
	return p.Client(remoteAddress(r), strings.Join(r.Header.Values("X-Forwarded-For"), ","))
}

// remoteAddress is the other end of a request's connection.
func remoteAddress(r *http.Request) netip.Addr {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // nobody's, so not trusted, and one share of the limits for all of them
	}
	return clientip.Plain(remote.Addr())
}

// proxyUser is the user whom a trusted proxy names. Where the header is there twice one may be what the user sent, so neither
// counts.
func (r *settings) proxyUser(request *http.Request) (name string, ok bool) {
	if r.userHeader == "" || !r.proxies.Trust(remoteAddress(request)) {
		return "", false
	}
	values := request.Header[r.userHeader]
	if len(values) != 1 {
		return "", false
	}
	name = strings.TrimSpace(values[0])
	unprintable := func(c rune) bool { return !unicode.IsPrint(c) }
	return name, name != "" && len(name) <= maxUserBytes && utf8.ValidString(name) && !strings.ContainsFunc(name, unprintable)
}
