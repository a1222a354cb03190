//go:build linux

package load

import (
	"errors"
	"strconv"
	"time"

	"github.com/millrace/millrace/bench/traffic"
)

// Config says what is sent, where to and how fast.
type Config struct {
	Addr        string // host:port
	Connections int
	Requests    []*Request    // sent in turns, each by one connection; at least one for each
	Rate        float64       // requests a second, of all connections together; 0 is a closed loop
	Warm        time.Duration // sent before anything counts
	For         time.Duration // what counts
	Fresh       uint64        // if not 0, messages get ids that begin with it, and the time at which they are sent

	// Begin and End are called where what counts begins and ends, to read the clocks of others. Either may be nil.
	Begin, End func()
}

// Request is one request's bytes, ready to be sent.
type Request struct {
	text []byte
	body *traffic.Body
}

// NewRequest makes a request to post body to a path. The body's memory is the request's from now on.
func NewRequest(path string, body *traffic.Body) *Request {
	text := append([]byte(nil), "POST "+path+" HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: "...)
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
		return errors.New("load: every connection needs a request of its own")
	case c.Rate < 0 || c.For <= 0:
		return errors.New("load: a rate cannot be negative, and a run has to last")
	}
	return nil
}
