package auth

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/millrace/millrace/pkg/clientip"
)

// Config holds the flags that control access.
type Config struct {
	PasswordFile string   `name:"console-password-file" help:"File with the hash of the console's password, made by millrace console hash-password. A changed file takes effect at the next login and ends all earlier sessions." placeholder:"FILE"`
	ProxyHeader  string   `name:"console-proxy-header" help:"Header in which an authenticating proxy passes the user name, such as X-Forwarded-User. The proxy must overwrite the header if a client sends it." placeholder:"NAME"`
	ProxyFrom    []string `name:"console-proxy-from" help:"Addresses and prefixes of trusted proxies. The user header and X-Forwarded-For are ignored from all other addresses." placeholder:"ADDR" sep:","`
	Hosts        []string `name:"console-host" help:"Host names and addresses that the console answers to, besides localhost. Default: only localhost if the console listens on loopback, otherwise any." placeholder:"HOST" sep:","`
	URL          string   `name:"console-url" help:"Public URL of the console, if it differs from its own address: https://millrace.example.com. With https, cookies are sent over TLS only." placeholder:"URL"`
}

// settings is a validated Config.
type settings struct {
	passwordFile string
	userHeader   string // in canonical form
	proxies      clientip.Proxies
	hosts        map[string]bool // nil means any
	origin       string          // of the public URL
	https        bool            // the public URL has the scheme https
	open         bool            // requests from this machine need no login
}

// Validate checks the flags and their combination, and reads the password file. listen is the console's address.
func (c *Config) Validate(listen string) error {
	_, err := c.settings(listen)
	return err
}

func (c *Config) settings(listen string) (settings, error) {
	if err := c.validateCombination(listen); err != nil {
		return settings{}, err
	}
	if c.PasswordFile != "" {
		if _, err := readHash(c.PasswordFile); err != nil {
			return settings{}, fmt.Errorf("--console-password-file: %w", err)
		}
	}
	r := settings{
		passwordFile: c.PasswordFile,
		userHeader:   http.CanonicalHeaderKey(c.ProxyHeader),
		open:         c.PasswordFile == "" && c.ProxyHeader == "",
	}
	var err error
	if r.proxies, err = parseProxies(c.ProxyFrom); err != nil {
		return settings{}, err
	}
	public, err := c.publicURL()
	if err != nil {
		return settings{}, err
	}
	if public != nil {
		r.origin, r.https = public.Scheme+"://"+public.Host, public.Scheme == "https"
	}
	r.hosts, err = c.allowedHosts(listensOnLoopback(listen), public)
	return r, err
}

// ErrExposed is the error of a console without access control that other machines could reach.
var ErrExposed = errors.New("other machines could use the console without a login")

// validateCombination checks which flags must be set together.
func (c *Config) validateCombination(listen string) error {
	switch {
	case c.ProxyHeader != "" && !isHeaderName(c.ProxyHeader):
		return fmt.Errorf("--console-proxy-header: %q is not a valid header name", c.ProxyHeader)
	case c.ProxyHeader != "" && len(c.ProxyFrom) == 0:
		return errors.New(
			"--console-proxy-header needs --console-proxy-from: set it to the addresses of the trusted proxies",
		)
	case len(c.ProxyFrom) > 0 && c.ProxyHeader == "" && c.PasswordFile == "":
		return errors.New(
			"--console-proxy-from has no effect without --console-proxy-header or --console-password-file: set one of them",
		)
	case !listensOnLoopback(listen) && c.ProxyHeader == "" && c.PasswordFile == "":
		return fmt.Errorf(
			"%w, on %q: set a password (write the output of millrace console hash-password to a file, and set "+
				"--console-password-file to it) or --console-proxy-header, or listen on 127.0.0.1",
			ErrExposed,
			listen,
		)
	}
	return nil
}

// listensOnLoopback reports whether only this machine reaches the address. An empty host and any name except localhost
// may be reachable from elsewhere.
func listensOnLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && isLoopback(host)
}

// isLoopback reports whether a host without a port is this machine.
func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

func (c *Config) publicURL() (*url.URL, error) {
	if c.URL == "" {
		return nil, nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New(
			"--console-url must have the form https://millrace.example.com, with an optional port and no path",
		)
	}
	u.Host = strings.ToLower(u.Host) // as browsers write an origin
	return u, nil
}

// isHeaderName reports whether text is a token (RFC 9110) that net/http keeps in Request.Header.
func isHeaderName(text string) bool {
	return text != "" && !strings.EqualFold(text, "Host") &&
		strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~") == ""
}
