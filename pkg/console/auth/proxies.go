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

// maxUserBytes limits the length of a user name from a proxy.
const maxUserBytes = 256

// parseProxies parses the addresses and prefixes of --console-proxy-from.
func parseProxies(texts []string) (clientip.Proxies, error) {
	list, err := clientip.ParseProxies(texts)
	if err != nil {
		return nil, fmt.Errorf("--console-proxy-from: %w", err)
	}
	for i, prefix := range list {
		if prefix.Bits() == 0 {
			return nil, fmt.Errorf(
				"--console-proxy-from: %q trusts every address, so any client could set a user name: "+
					"set the addresses of the proxies",
				texts[i],
			)
		}
	}
	return list, nil
}

// clientAddress returns the sender's address, from X-Forwarded-For if trusted proxies set it.
func clientAddress(p clientip.Proxies, r *http.Request) netip.Addr {
	return p.Client(remoteAddress(r), strings.Join(r.Header.Values("X-Forwarded-For"), ","))
}

// remoteAddress returns the address of the other end of the connection.
func remoteAddress(r *http.Request) netip.Addr {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // not trusted; all such requests share one rate limit
	}
	return clientip.Plain(remote.Addr())
}

// proxyUser returns the user name set by a trusted proxy. If the header occurs twice, one value may come from the user,
// so both are ignored.
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
	return name, name != "" && len(name) <= maxUserBytes && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, unprintable)
}
