package auth

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// allowedHosts returns the accepted hosts besides those of loopback; nil means any.
//
// Another site can point its own name to 127.0.0.1 (DNS rebinding). The browser then treats the console as part of that
// site, whose pages could read it. The Host header still holds the site's name.
func (c *Config) allowedHosts(loopback bool, public *url.URL) (map[string]bool, error) {
	if len(c.Hosts) == 0 && !loopback {
		return nil, nil // a password or a proxy is required, and the browser has no cookie for another site's name
	}
	hosts := map[string]bool{}
	for _, host := range c.Hosts {
		if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			hosts[addr.String()] = true
			continue
		}
		name, ok := hostOf(host)
		if !ok || strings.ContainsAny(host, ":[]") {
			return nil, fmt.Errorf("--console-host: %q is not a host name or an address without a port: "+
				"use a value such as console.example.com", host)
		}
		hosts[name] = true
	}
	if public != nil {
		name, _ := hostOf(public.Host) // publicURL has checked it
		hosts[name] = true
	}
	return hosts, nil
}

// hostOf returns the host of a Host header in lower case, without the port and the brackets of an address.
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

// allowsHost reports whether the console answers requests with this Host header.
func (r *settings) allowsHost(header string) bool {
	host, ok := hostOf(header)
	return ok && (r.hosts == nil || r.hosts[host] || isLoopback(host))
}

// forwardingHeaders are the headers that proxies add.
var forwardingHeaders = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"}

// isForwarded reports whether a proxy has forwarded the request. A proxy on this machine would make an open console
// reachable from other machines.
func isForwarded(r *http.Request) bool {
	for _, name := range forwardingHeaders {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}
