//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/millrace/millrace/bench/load"
	"github.com/millrace/millrace/bench/traffic"
)

type loadCommand struct {
	URL         string        `arg:"" help:"Where to post, with its token."`
	Connections int           `help:"Connections, each with one request at a time." default:"16"`
	Batch       int           `help:"Messages in a request." default:"100"`
	Rate        float64       `help:"Messages a second, whatever becomes of those before; 0 is as fast as they are answered."`
	For         time.Duration `help:"How long to send." default:"15s"`
}

// Run sends and says what came of it.
func (l *loadCommand) Run(ctx context.Context, c *common) error {
	at, err := url.Parse(l.URL)
	if err != nil || at.Scheme != "http" {
		return errors.New("the URL must be http://HOST:PORT/v1/segment/TOKEN")
	}
	config := load.Config{Addr: at.Host, Connections: l.Connections, Rate: l.Rate / float64(l.Batch), For: l.For, Fresh: uint64(time.Now().UnixNano())}
	config.Requests = requestsOf(traffic.New(traffic.Default(c.Seed)).Bodies(max(l.Connections, bodiesFor(l.Batch)), l.Batch), func(int) string { return at.Path })
	result, err := load.Run(ctx, config)
	if err != nil {
		return err
	}
	fmt.Println(result)
	return nil
}

// bodiesBytes is about how much memory the bodies of a run take.
const bodiesBytes = 64 << 20

// bodiesFor is how many different bodies a run has.
func bodiesFor(batch int) int { return bodiesBytes / (800 * batch) }

// requestsOf makes requests of bodies, to the path of each one's product.
func requestsOf(bodies []*traffic.Body, path func(product int) string) []*load.Request {
	requests := make([]*load.Request, len(bodies))
	for i, b := range bodies {
		requests[i] = load.NewRequest(path(b.Product), b)
	}
	return requests
}
