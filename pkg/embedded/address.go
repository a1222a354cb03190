package embedded

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
)

// Free ports are looked for below the range from which the kernel serves outgoing connections: there, a
// client that dials a server which is just starting again could be given the server's own port.
const (
	firstPort    = 15000
	lastPort     = 31999
	portAttempts = 200
)

// resolve makes host:port definite: port 0 becomes one that is free, a fixed one has to be.
func resolve(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("the address %q is not host:port: %w", addr, err)
	}
	if port, err = strconv.Atoi(text); err != nil {
		return "", 0, fmt.Errorf("the port of %q is not a number: %w", addr, err)
	}
	if port != 0 {
		return host, port, tryPort(host, port)
	}
	for range portAttempts {
		port = firstPort + rand.IntN(lastPort-firstPort+1)
		if err = tryPort(host, port); err == nil {
			return host, port, nil
		}
	}
	return "", 0, fmt.Errorf("no free port in %d attempts: %w", portAttempts, err)
}

// FreeAddrs returns n different addresses of a host, each with a port that is free now and that no outgoing
// connection will be given: what is started there can be stopped and started again.
func FreeAddrs(host string, n int) ([]string, error) {
	var addrs []string
	for len(addrs) < n {
		_, port, err := resolve(joinPort(host, 0))
		if err != nil {
			return nil, fmt.Errorf("choose a port: %w", err)
		}
		if addr := joinPort(host, port); !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs, nil
}

func tryPort(host string, port int) error {
	listener, err := net.Listen("tcp", joinPort(host, port))
	if err != nil {
		return err
	}
	return listener.Close()
}

func joinPort(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}
