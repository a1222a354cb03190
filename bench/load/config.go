//go:build linux

package load

import (
	"errors"
	"strconv"
	"time"

	"github.com/millrace/millrace/bench/traffic"
)

// Config describes a run.
type Config struct {
	Addr        string // host:port
	Connections int
	Requests    []*Request    // each belongs to one connection, which repeats its own; at least one per connection
	Rate        float64       // requests a second of all connections together; 0 is a closed loop
	Warm        time.Duration // warm-up, which is not measured
	For         time.Duration // measured time
	NewIDs      uint64        // if not 0, messages get ids with this prefix, and the time of sending

	// Begin and End are called where the measured time begins and ends. Either may be nil.
	Begin, End func()
}

// Request is the bytes of a request.
type Request struct {
	text []byte
	body *traffic.Body
}

// NewRequest returns a request that posts body to a path. The request owns the body afterwards.
func NewRequest(path string, body *traffic.Body) *Request {
	text := []byte("POST " + path + " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: ")
	text = strconv.AppendInt(text, int64(len(body.JSON)), 10)
	text = append(text, "\r\n\r\n"...)
	head := len(text)
	text = append(text, body.JSON...)
	body.JSON = text[head:]
	return &Request{text, body}
}

func (c *Config) validate() error {
	switch {
	case c.Connections < 1 || len(c.Requests) < c.Connections:
		return errors.New("load: each connection needs its own request")
	case c.Rate < 0 || c.For <= 0:
		return errors.New("load: the rate must not be negative, and the measured time must be positive")
	}
	return nil
}
