package credential

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"
)

// TLS says whether a server is spoken to with TLS, whom to trust and what to show. Its fields are flags, under a prefix
// such as "kafka-"; ${server} says in their help whose they are.
type TLS struct {
	On         bool   `name:"tls" help:"Connect to ${server} with TLS."`
	CA         string `name:"tls-ca" help:"Certificate authorities for ${server}, in PEM, instead of the system's; a changed file is used by the next connection." placeholder:"FILE"`
	Cert       string `name:"tls-cert" help:"Client certificate for ${server}, if it requires one." placeholder:"FILE"`
	Key        string `name:"tls-key" help:"Private key of the client certificate." placeholder:"FILE"`
	ServerName string `name:"tls-server-name" help:"Name in the certificate of ${server}, if it is not the address's." placeholder:"NAME"`
}

// Check checks that the settings go together, and reads the files. prefix is that of the flags.
func (t *TLS) Check(prefix string) error {
	for _, needs := range []struct{ flag, value string }{
		{"ca", t.CA}, {"cert", t.Cert}, {"key", t.Key}, {"server-name", t.ServerName},
	} {
		if needs.value != "" && !t.On {
			return fmt.Errorf("--%[1]stls-%[2]s is of no use without TLS: set --%[1]stls too", prefix, needs.flag)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return fmt.Errorf("--%[1]stls-cert and --%[1]stls-key belong together: set both or neither", prefix)
	}
	if _, err := t.Config(); err != nil {
		return fmt.Errorf("--%stls-…: %w", prefix, err)
	}
	return nil
}

// Config is for one connection, with the files as they are now; nil is without TLS.
func (t *TLS) Config() (*tls.Config, error) {
	if !t.On {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("the certificates to trust cannot be read: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("the client certificate %s and its key %s cannot be used: %w", t.Cert, t.Key, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Dialer connects with or without TLS, as is configured, and takes no longer than timeout.
func (t *TLS) Dialer(timeout time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		plain := &net.Dialer{Timeout: timeout}
		config, err := t.Config()
		if err != nil {
			return nil, err
		}
		if config == nil {
			return plain.DialContext(ctx, network, addr)
		}
		return (&tls.Dialer{NetDialer: plain, Config: config}).DialContext(ctx, network, addr)
	}
}

// Exposed tells whether what is said to a server at addr can be read on the way.
func (t *TLS) Exposed(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip := net.ParseIP(host)
	return !t.On && host != "localhost" && (ip == nil || !ip.IsLoopback())
}
