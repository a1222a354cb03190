package auth

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// allowedHosts are the hosts that a request may ask for besides loopback's; nil is any.
//
// A page elsewhere can have its own name lead to 127.0.0.1 (DNS rebinding). The browser then takes the console for a part
// of that page, and the page reads it. What the page cannot choose is the Host that the browser sends: its own name.
func (c *Config) allowedHosts(loopback bool, public *url.URL) (map[string]bool, error) {
	if len(c.Hosts) == 0 && !loopback {
		return nil, nil // with a password or a proxy in force a page's own name has no cookie to show
	}
	hosts := map[string]bool{}
	for _, host := range c.Hosts {
		if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			hosts[addr.String()] = true
			continue
		}
		name, ok := hostOf(host)
		if !ok || strings.ContainsAny(host, ":[]") {
			return nil, fmt.Errorf("--console-host: %q is neither a name nor an address without a port: write it as in console.example.com", host)
		}
		hosts[name] = true
	}
	if public != nil {
		name, _ := hostOf(public.Host) // it has been checked
		hosts[name] = true
	}
	return hosts, nil
}

// hostOf is a Host header's host in lower case, without the port and an address's brackets.
func hostOf(header string) (string, bool) {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	} else if inner, ok := strings.CutPrefix(header, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return "", false
		}
	}
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		return addr.String(), err == nil && addr.Zone() == ""
	}
	return strings.ToLower(host), host != "" && !strings.ContainsAny(host, "/[]@ ")
}

// allowsHost tells whether a request asks for a host that is the console's.
func (r *settings) allowsHost(header string) bool {
	host, ok := hostOf(header)
	return ok && (r.hosts == nil || r.hosts[host] || isLoopback(host))
}

// forwardingHeaders are what a proxy adds about those whom it speaks for.
var forwardingHeaders = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"}

// isForwarded tells whether a proxy passed a request on, and says so. One on this machine has an open console reached
// from elsewhere.
func isForwarded(r *http.Request) bool {
	for _, name := range forwardingHeaders {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}
