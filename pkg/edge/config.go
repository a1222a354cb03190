package edge

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/pkg/clientip"
	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/stream"
)

// Config holds the edge's settings and all of its limits.
type Config struct {
	HTTP           string   `help:"Address that accepts events." default:"127.0.0.1:8080" placeholder:"ADDR"`
	TLSCert        string   `help:"Certificate chain for HTTPS, in PEM; a replaced file is used within a second." placeholder:"FILE"`
	TLSKey         string   `help:"Private key of --tls-cert." placeholder:"FILE"`
	TrustedProxies []string `help:"Addresses and prefixes of load balancers. Their X-Forwarded-For is trusted, and their connections are not limited." placeholder:"ADDR" sep:","`

	MaxBodyBytes    int `help:"Largest body, before and after decompression." default:"8388608"`
	MaxMessages     int `help:"Largest number of messages in one request." default:"1000"`
	MaxMessageBytes int `help:"Largest message; a larger one becomes a dead letter." default:"524288"`
	MaxContextBytes int `help:"Largest context beside a batch, in bytes; every record of the batch carries it." default:"16384"`
	MaxDepth        int `help:"Deepest nesting of JSON in a body." default:"64"`

	MaxInFlightBytes    int64         `help:"Bytes of bodies in flight, over all requests." default:"134217728"`
	MaxInFlightRequests int64         `help:"Requests in flight." default:"4096"`
	MaxDecompressions   int           `help:"Bodies decompressed concurrently; 0 means one per processor." default:"0"`
	MaxConnections      int           `help:"Open connections." default:"16384"`
	MaxConnectionsEach  int           `name:"max-connections-per-address" help:"Open connections of one address." default:"12288"`
	MaxHeaderBytes      int           `help:"Largest request line and headers." default:"16384"`
	ReadTimeout         time.Duration `help:"Longest time for a request to arrive." default:"30s"`
	WriteTimeout        time.Duration `help:"Longest time for an answer to be sent." default:"10s"`
	IdleTimeout         time.Duration `help:"Longest time that a connection waits for its next request." default:"75s"`
	RetryAfter          time.Duration `help:"Value of Retry-After, in whole seconds." default:"1s"`
	DrainTimeout        time.Duration `help:"Longest time that a shutdown waits for requests in flight." default:"15s"`

	Producer stream.ProducerConfig `embed:""`
}

// recordOverheadBytes covers a record's key, headers and framing.
const recordOverheadBytes = 16 << 10

// Validate checks each limit, then their combinations.
func (c *Config) Validate() error {
	for _, limit := range []struct {
		flag       string
		value, min int64
	}{
		{"--max-body-bytes", int64(c.MaxBodyBytes), 1024},
		{"--max-messages", int64(c.MaxMessages), 1},
		{"--max-message-bytes", int64(c.MaxMessageBytes), 1024},
		{"--max-context-bytes", int64(c.MaxContextBytes), 0},
		{"--max-depth", int64(c.MaxDepth), 3},
		{"--max-in-flight-requests", c.MaxInFlightRequests, 1},
		{"--max-decompressions", int64(c.MaxDecompressions), 0},
		{"--max-connections", int64(c.MaxConnections), 1},
		{"--max-connections-per-address", int64(c.MaxConnectionsEach), 1},
		{"--max-header-bytes", int64(c.MaxHeaderBytes), 2048},
		{"--read-timeout", int64(c.ReadTimeout), int64(time.Second)},
		{"--write-timeout", int64(c.WriteTimeout), int64(time.Second)},
		{"--idle-timeout", int64(c.IdleTimeout), int64(time.Second)},
		{"--retry-after", int64(c.RetryAfter), int64(time.Second)},
		{"--drain-timeout", int64(c.DrainTimeout), int64(time.Second)},
	} {
		if limit.value < limit.min {
			return fmt.Errorf("%s is too small: the minimum is %d", limit.flag, limit.min)
		}
	}
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key must be set together")
	case c.HTTP == "":
		return errors.New("--http must name an address to listen on")
	case c.MaxBodyBytes > stream.DeadLetterRecordBytes-recordOverheadBytes-c.MaxContextBytes:
		return fmt.Errorf(
			"--max-body-bytes is %d, but a dead letter holds at most %d bytes and must be able to keep a whole body",
			c.MaxBodyBytes,
			stream.DeadLetterRecordBytes-recordOverheadBytes-c.MaxContextBytes,
		)
	case c.MaxMessageBytes+c.MaxContextBytes+recordOverheadBytes > stream.IngestRecordBytes:
		return fmt.Errorf(
			"--max-message-bytes and --max-context-bytes together must be at most %d, what one Kafka record holds by default",
			stream.IngestRecordBytes-recordOverheadBytes,
		)
	case c.MaxInFlightBytes < 2*int64(c.MaxBodyBytes):
		return errors.New(
			"--max-in-flight-bytes must be at least twice --max-body-bytes: a compressed body and its content are in memory together",
		)
	}
	if _, err := c.trusted(); err != nil {
		return err
	}
	return c.Producer.Validate()
}

func (c *Config) payloadLimits() payload.Limits {
	return payload.Limits{
		Messages:     c.MaxMessages,
		MessageBytes: c.MaxMessageBytes,
		ContextBytes: c.MaxContextBytes,
		Depth:        c.MaxDepth,
	}
}

// trusted returns the load balancers whose X-Forwarded-For is trusted.
func (c *Config) trusted() (clientip.Proxies, error) {
	list, err := clientip.ParseProxies(c.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("--trusted-proxies: %w", err)
	}
	return list, nil
}
