package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// checkTimeout is below what those who run health checks allow by default.
const checkTimeout = 3 * time.Second

// Check asks the program whose admin address that is whether it is ready: a health check for containers in
// which there is nothing else to ask with.
func Check(ctx context.Context, config AdminConfig) error {
	address, err := config.dial()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("check the health: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("nothing answers on the admin address: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // what was read is shown
	return errors.New(strings.TrimSpace(string(body)))
}

// dial is where the admin address is reached from its own machine: by number, since nothing need be there that knows
// names.
func (c *AdminConfig) dial() (string, error) {
	host, port, err := net.SplitHostPort(c.Admin)
	if err != nil {
		return "", fmt.Errorf("--admin is no address: %w", err)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}
