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

// Config says who may come in. Its fields are flags.
type Config struct {
	PasswordFile string   `name:"console-password-file" help:"File that holds the hash of the console's password, as made by millrace console hash-password. A changed file counts from the next login on, which ends the sessions before." placeholder:"FILE"`
	ProxyHeader  string   `name:"console-proxy-header" help:"Header in which a proxy names the user, such as X-Forwarded-User, having made sure who that is. The proxy must overwrite what others send in it." placeholder:"NAME"`
	ProxyFrom    []string `name:"console-proxy-from" help:"Addresses and prefixes of such proxies: that header, and X-Forwarded-For, are believed when they come from there, and ignored from anybody else." placeholder:"ADDR" sep:","`
	Hosts        []string `name:"console-host" help:"Names and addresses under which browsers may ask for the console, besides localhost. Where it listens on loopback only these are answered; elsewhere all are, unless some are named here." placeholder:"HOST" sep:","`
	URL          string   `name:"console-url" help:"Where browsers find the console, if not at its own address: https://millrace.example.com. With https its cookies are sent over TLS only." placeholder:"URL"`
}

// settings are a Config that has been read.
type settings struct {
	passwordFile string
	userHeader   string // canonical
	proxies      clientip.Proxies
	hosts        map[string]bool // nil is all
	origin       string          // of the public URL
	https        bool            // the public URL is
	open         bool            // nobody but this machine can ask, and whoever does may come in
}

// Validate checks that the settings go together, and reads the password's file. listen is the address that the console
// listens on.
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
	r := settings{passwordFile: c.PasswordFile, userHeader: http.CanonicalHeaderKey(c.ProxyHeader), open: c.PasswordFile == "" && c.ProxyHeader == ""}
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

// ErrExposed is a console for everybody where others than this machine may reach it.
var ErrExposed = errors.New("anybody could reach the console")

// validateCombination checks what must be set with what.
func (c *Config) validateCombination(listen string) error {
	switch {
	case c.ProxyHeader != "" && !isHeaderName(c.ProxyHeader):
		return fmt.Errorf("--console-proxy-header: %q is not the name of a header", c.ProxyHeader)
	case c.ProxyHeader != "" && len(c.ProxyFrom) == 0:
		return errors.New("--console-proxy-header is set, but not --console-proxy-from: name the addresses of the proxies that are believed there")
	case len(c.ProxyFrom) > 0 && c.ProxyHeader == "" && c.PasswordFile == "":
		return errors.New("--console-proxy-from is of no use without --console-proxy-header or --console-password-file: set one of them too")
	case !listensOnLoopback(listen) && c.ProxyHeader == "" && c.PasswordFile == "":
		return fmt.Errorf("%w, on %q: demand a password (write what millrace console hash-password says "+
			"into a file, and name that in --console-password-file) or a proxy's word (--console-proxy-header), or listen on 127.0.0.1", ErrExposed, listen)
	}
	return nil
}

// listensOnLoopback tells whether only this machine reaches an address that is listened on. No host, and any name but
// localhost, may be more than that.
func listensOnLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && isLoopback(host)
}

// isLoopback tells whether a host, without a port, means the machine itself.
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
		return nil, errors.New("--console-url must be of the form https://millrace.example.com, with a port if need be and nothing behind it")
	}
	u.Host = strings.ToLower(u.Host) // as browsers write an origin
	return u, nil
}

// isHeaderName tells whether text is a token, by RFC 9110, that net/http keeps among a request's headers.
func isHeaderName(text string) bool {
	return text != "" && !strings.EqualFold(text, "Host") && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~") == ""
}
