package edge

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/token"
)

// changes are changes of a connection during a request, with the status that the request must get.
var changes = map[string]struct {
	change func(context.Context, *rig, string) error
	status int
}{
	"nothing": {func(context.Context, *rig, string) error { return nil }, 200},
	"rotate":  {func(ctx context.Context, r *rig, id string) error { _, err := r.store.Rotate(ctx, id); return err }, 401},
	"secret": {func(ctx context.Context, r *rig, id string) error {
		_, err := r.store.SetSecret(ctx, id, token.NewSecret("a secret of length"))
		return err
	}, 401},
	"delete": {func(ctx context.Context, r *rig, id string) error { return r.store.Delete(ctx, id) }, 401},
	"pause":  {func(ctx context.Context, r *rig, id string) error { _, err := r.store.Pause(ctx, id); return err }, 204},
	"pause and resume": {func(ctx context.Context, r *rig, id string) error {
		if _, err := r.store.Pause(ctx, id); err != nil {
			return err
		}
		_, err := r.store.Resume(ctx, id)
		return err
	}, 200},
}

// A request may be let in before a change and end after the command has returned. Nothing of it is stored then.
func TestChange_WhileTheBodyArrives_StoresNothing(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := start(t)
			s := r.create(connection.CreateParams{})
			conn, err := net.Dial("tcp", strings.TrimPrefix(r.service.URL(), "http://"))
			require.NoError(t, err)
			defer conn.Close()
			_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: edge\r\nContent-Length: %d\r\n\r\n%s", s.path(), len(track), track[:9])
			require.NoError(t, err)
			require.Eventually(t, func() bool { return r.service.handler.admit.requests.Load() == 1 }, patience, poll)
			require.NoError(t, c.change(t.Context(), r, s.ID))
			r.settle()
			_, err = conn.Write([]byte(track[9:]))
			require.NoError(t, err)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer response.Body.Close()
			require.Equal(t, c.status, response.StatusCode)
			if c.status == http.StatusOK {
				require.Len(t, r.records(ingest), 1, "the control: an unchanged connection stores the message")
			} else {
				require.Empty(t, r.records(ingest))
			}
			r.requireNothingHeld()
		})
	}
}

// A request that waits for the brokers while the connection is changed gets no 200: the command has returned by then.
func TestChange_DuringAcknowledgement_IsRespected(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, broker := start(t)
			s := r.create(connection.CreateParams{})
			waiting, release := r.holdProduce(broker)
			answers := make(chan answer, 1)
			go func() { answers <- r.post(s.path(), track) }()
			require.Eventually(t, func() bool { return waiting.Load() == 1 }, patience, poll)
			require.NoError(t, c.change(t.Context(), r, s.ID))
			r.settle()
			release()
			require.Equal(t, c.status, (<-answers).status)
			require.Len(t, r.records(ingest), 1, "the control: the brokers took it")
			r.requireNothingHeld()
			require.NoError(t, r.end()) // so that it writes what it has counted
			other := startOn(t, broker.Addr(), nil)
			other.awaitReady()
			found, err := other.store.Find(t.Context(), s.ID)
			if name == "delete" {
				require.ErrorIs(t, err, connection.ErrNotFound)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.status == 200, !found.IsZero(), "what was not answered with 200 makes no connection active")
			require.Equal(t, c.status == 200, found.Totals.Accepted == 1)
		})
	}
}

func TestHTTPS(t *testing.T) {
	certFile, keyFile := writeCertificate(t, t.TempDir(), "edge.test", time.Now())
	r, _ := start(t, func(c *Config) { c.TLSCert, c.TLSKey = certFile, keyFile })
	pem, err := os.ReadFile(certFile)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	r.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "edge.test"}}}
	s := r.create(connection.CreateParams{})
	require.Contains(t, r.service.URL(), "https://")
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
}

func TestConfigOfTLSAndProxies(t *testing.T) {
	require.ErrorContains(t, new(testConfig(t, func(c *Config) { c.TLSCert = "cert.pem" })).Validate(), "--tls-key")
	require.ErrorContains(t, new(testConfig(t, func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/99"} })).Validate(), "--trusted-proxies")
	_, err := New(testConfig(t, func(c *Config) { c.TLSCert, c.TLSKey = "/nowhere", "/nowhere" }), Deps{})
	require.ErrorContains(t, err, "TLS certificate")
}

// One address cannot take every place: others get in beside it.
func TestConnectionsPerAddress(t *testing.T) {
	r, _ := start(t, func(c *Config) { c.MaxConnectionsEach = 3 })
	for range 3 {
		r.dial()
	}
	salts := r.dial()
	require.NoError(t, salts.SetReadDeadline(time.Now().Add(patience)))
	_, err := salts.Read(make([]byte, 1))
	require.Error(t, err)
	r.requireMetric("connections_over_address_limit_total", "1")

	trusting, _ := start(t, func(c *Config) { c.MaxConnectionsEach, c.TrustedProxies = 3, []string{"127.0.0.0/8"} })
	for range 10 {
		trusting.dial()
	}
	other := trusting.create(connection.CreateParams{})
	requireAnswer(t, trusting.post(other.path(), track), 200, accepted(1, 1, 0))
}

// Who sent a refused request is in the log, at debug, and by a trusted proxy's word only.
func TestRefusal_LogsTheClient(t *testing.T) {
	r, _ := start(t, func(c *Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	requireAnswer(t, r.post("/v1/segment/canary", track, "X-Forwarded-For", "1.2.3.4, 203.0.113.9"), 401, saysUnauthorized)
	require.Contains(t, r.logs.String(), "client=203.0.113.9")
}
