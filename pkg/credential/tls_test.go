package credential

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/test/env/certs"
)

func authorityOf(t *testing.T) *certs.Authority {
	t.Helper()
	a, err := certs.New(t.TempDir())
	require.NoError(t, err)
	return a
}

// serve greets whoever completes a handshake, and wants a client's certificate if need be.
func serve(t *testing.T, a *certs.Authority, demand tls.ClientAuthType) (addr string) {
	t.Helper()
	config, err := a.ServerConfig()
	require.NoError(t, err)
	config.ClientAuth = demand
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("hello")) // fails for those who are not welcome
			conn.Close()
		}
	}()
	return listener.Addr().String()
}

// greeting connects and reads what the server says.
func greeting(t *testing.T, config TLS, addr string) error {
	t.Helper()
	conn, err := config.Dialer(10*time.Second)(t.Context(), "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	b, err := io.ReadAll(conn)
	if err == nil && string(b) != "hello" {
		err = errors.New("no greeting, but " + string(b))
	}
	return err
}

func TestTLS_TrustedAuthorities(t *testing.T) {
	ours, theirs := authorityOf(t), authorityOf(t)
	addr := serve(t, ours, tls.NoClientCert)
	require.NoError(t, greeting(t, TLS{On: true, CA: ours.File}, addr))
	require.NoError(t, greeting(t, TLS{On: true, CA: ours.File, ServerName: "localhost"}, addr))
	for change, config := range map[string]TLS{
		"in --x-tls-ca":                {On: true, CA: theirs.File},
		"in --x-tls-server-name, or r": {On: true, CA: ours.File, ServerName: "elsewhere.example"},
	} {
		require.Contains(t, Explain(greeting(t, config, addr), "x-"), change)
	}
	require.Contains(t, Explain(greeting(t, TLS{On: true}, addr), "x-"), "in --x-tls-ca", "the system does not trust a test")
}

func TestTLS_PlainPort_IsExplained(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("hello"))
			conn.Close()
		}
	}()
	addr := listener.Addr().String()
	require.NoError(t, greeting(t, TLS{}, addr))
	require.Contains(t, Explain(greeting(t, TLS{On: true}, addr), "x-"), "leave --x-tls out")
	require.Empty(t, Explain(errors.New("another"), "x-"))
}

func TestTLS_ClientCertificate(t *testing.T) {
	a := authorityOf(t)
	addr := serve(t, a, tls.RequireAndVerifyClientCert)
	pair, err := a.Sign("client")
	require.NoError(t, err)
	require.NoError(t, greeting(t, TLS{On: true, CA: a.File, Cert: pair.Cert, Key: pair.Key}, addr))
	require.Contains(t, Explain(greeting(t, TLS{On: true, CA: a.File}, addr), "x-"), "--x-tls-cert")
	stranger, err := authorityOf(t).Sign("client")
	require.NoError(t, err)
	require.Contains(t, Explain(greeting(t, TLS{On: true, CA: a.File, Cert: stranger.Cert, Key: stranger.Key}, addr), "x-"), "--x-tls-cert")
}

func TestTLS_ReplacedFile_IsUsedByTheNextConnection(t *testing.T) {
	ours, theirs := authorityOf(t), authorityOf(t)
	addr := serve(t, ours, tls.NoClientCert)
	file := filepath.Join(t.TempDir(), "ca.pem")
	config := TLS{On: true, CA: file}
	for _, a := range []*certs.Authority{theirs, ours, theirs, ours} {
		b, err := os.ReadFile(a.File)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, b, 0o600))
		require.Equal(t, a == ours, greeting(t, config, addr) == nil)
	}
	require.NoError(t, os.Remove(file))
	require.ErrorContains(t, greeting(t, config, addr), "the certificates to trust cannot be read")
}

func TestTLSIsChecked(t *testing.T) {
	nothing := filepath.Join(t.TempDir(), "nothing.pem")
	require.NoError(t, os.WriteFile(nothing, nil, 0o600))
	for want, config := range map[string]TLS{
		"--x-tls-ca is of no use without TLS: set --x-tls too":          {CA: nothing},
		"--x-tls-server-name is of no use without TLS":                  {ServerName: "name"},
		"--x-tls-cert and --x-tls-key belong together":                  {On: true, Cert: nothing},
		"--x-tls-…: " + nothing + " holds no certificate in PEM":        {On: true, CA: nothing},
		"--x-tls-…: the certificates to trust cannot be read: open /no": {On: true, CA: "/nowhere"},
		"cannot be used": {On: true, Cert: nothing, Key: nothing},
	} {
		require.ErrorContains(t, config.Check("x-"), want)
	}
	require.NoError(t, (&TLS{}).Check("x-"))
	require.NoError(t, (&TLS{On: true}).Check("x-"))
}

func TestTLS_OffWithPassword_Warns(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:9": false, "[::1]:9": false, "localhost:9": false, "kafka-1:9092": true, "10.0.0.1:9": true, "kafka-1": true} {
		require.Equal(t, want, (&TLS{}).Exposed(addr), addr)
		require.False(t, (&TLS{On: true}).Exposed(addr))
	}
}
