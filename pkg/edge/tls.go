package edge

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a certificate in files that may be renewed while the edge runs. A handshake looks at
// the files again when it has not been done for a while; what cannot be read leaves the old one in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamp   [2]time.Time // when the files were last modified
	looked  time.Time
}

// certificateCheckEvery is how soon a renewed certificate is in use.
const certificateCheckEvery = time.Second

// newTLS reads the certificate and returns a configuration that keeps it up to date.
func newTLS(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(time.Now()), nil },
	}, nil
}

func (c *certificate) get(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) >= certificateCheckEvery {
		c.looked = now
		if stamp, err := c.stamps(); err != nil || stamp != c.stamp {
			if err := c.load(); err != nil {
				c.log.Warn("the renewed TLS certificate cannot be used; the old one stays in use", "error", err)
			}
		}
	}
	return c.current
}

func (c *certificate) load() error {
	stamp, err := c.stamps()
	if err != nil {
		return fmt.Errorf("read the TLS certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read the TLS certificate: %w", err)
	}
	c.current, c.stamp = &pair, stamp
	return nil
}

func (c *certificate) stamps() (stamps [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamps, err
		}
		stamps[i] = info.ModTime()
	}
	return stamps, nil
}
