package edge

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a certificate in files that may be replaced while the edge runs. A handshake checks the files at most
// once per certificateCheckInterval. If they cannot be read, the old certificate stays in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu        sync.Mutex
	current   *tls.Certificate
	modified  [2]time.Time // modification times of the files
	checkedAt time.Time
}

// certificateCheckInterval is the longest time until a replaced certificate is used.
const certificateCheckInterval = time.Second

// newTLS reads the certificate and returns a configuration that follows its files.
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
	if now.Sub(c.checkedAt) >= certificateCheckInterval {
		c.checkedAt = now
		if stamp, err := c.modTimes(); err != nil || stamp != c.modified {
			if err := c.load(); err != nil {
				c.log.Warn("the replaced TLS certificate cannot be used; the old one stays in use", "error", err)
			}
		}
	}
	return c.current
}

func (c *certificate) load() error {
	stamp, err := c.modTimes()
	if err != nil {
		return fmt.Errorf("read the TLS certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read the TLS certificate: %w", err)
	}
	c.current, c.modified = &pair, stamp
	return nil
}

func (c *certificate) modTimes() (stamps [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamps, err
		}
		stamps[i] = info.ModTime()
	}
	return stamps, nil
}
