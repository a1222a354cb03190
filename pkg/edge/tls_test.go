package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writeCertificate makes a certificate for a name, and its files.
func writeCertificate(t testing.TB, dir, name string, modified time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	for _, file := range []string{certFile, keyFile} {
		require.NoError(t, os.Chtimes(file, modified, modified))
	}
	return certFile, keyFile
}

func subject(t testing.TB, c *tls.Certificate) string {
	t.Helper()
	parsed, err := x509.ParseCertificate(c.Certificate[0])
	require.NoError(t, err)
	return parsed.Subject.CommonName
}

func TestTLS_ReplacedCertificate_IsUsed(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	certFile, keyFile := writeCertificate(t, dir, "first", now.Add(-time.Hour))
	c := &certificate{certFile: certFile, keyFile: keyFile, log: slog.New(slog.DiscardHandler)}
	require.NoError(t, c.load())
	require.Equal(t, "first", subject(t, c.get(now)))

	writeCertificate(t, dir, "second", now)
	require.Equal(t, "first", subject(t, c.get(now.Add(certificateCheckInterval-1))), "files are not looked at for each handshake")
	require.Equal(t, "second", subject(t, c.get(now.Add(certificateCheckInterval))))

	require.NoError(t, os.WriteFile(certFile, []byte("half a certifi"), 0o600))
	require.Equal(t, "second", subject(t, c.get(now.Add(2*certificateCheckInterval))), "what cannot be read leaves the old one in use")
	require.NoError(t, os.Remove(keyFile))
	require.Equal(t, "second", subject(t, c.get(now.Add(3*certificateCheckInterval))))
	writeCertificate(t, dir, "third", now.Add(time.Minute))
	require.Equal(t, "third", subject(t, c.get(now.Add(4*certificateCheckInterval))))
}

func TestTLSNeedsAReadableCertificate(t *testing.T) {
	_, err := newTLS("/nowhere/cert.pem", "/nowhere/key.pem", slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "read the TLS certificate")
}
