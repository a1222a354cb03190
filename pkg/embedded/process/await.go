package process

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// How often a process is asked whether it is ready, and how long one attempt may take.
const (
	readyPoll    = 20 * time.Millisecond
	readyTimeout = 2 * time.Second
)

// Await calls ready until it returns nil. The error says why the process is not ready, with the end of its output, when
// the process ends, ctx ends or the timeout is over.
func (p *Process) Await(ctx context.Context, timeout time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		attempt, cancelAttempt := context.WithTimeout(ctx, readyTimeout)
		err := ready(attempt)
		cancelAttempt()
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended early (%s); its last output:\n%s", p.name, p.State(), p.Output())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%w): %w; its last output:\n%s", p.name, err, ctx.Err(), p.Output())
		case <-time.After(readyPoll):
		}
	}
}

// Listens returns a check for Await: something listens at host:port.
func Listens(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// AnswersOK returns a check for Await: a GET of the URL is answered with 200.
func AnswersOK(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		if err := response.Body.Close(); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s is answered with %s", url, response.Status)
		}
		return nil
	}
}
