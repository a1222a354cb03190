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
	URL         string        `arg:"" help:"URL to post to, with its token."`
	Connections int           `help:"Connections, each with one request at a time." default:"16"`
	Batch       int           `help:"Messages in a request." default:"100"`
	Rate        float64       `help:"Messages a second in an open loop; 0 is a closed loop."`
	For         time.Duration `help:"How long to send." default:"15s"`
}

// Run sends requests and prints the result.
func (l *loadCommand) Run(ctx context.Context, c *common) error {
	at, err := url.Parse(l.URL)
	if err != nil || at.Scheme != "http" {
		return errors.New("the URL must be http://HOST:PORT/v1/segment/TOKEN")
	}
	bodies := traffic.New(traffic.Default(c.Seed)).Bodies(max(l.Connections, bodiesFor(l.Batch)), l.Batch)
	result, err := load.Run(ctx, load.Config{
		Addr: at.Host, Connections: l.Connections, Rate: l.Rate / float64(l.Batch), For: l.For, NewIDs: newIDs(),
		Requests: requestsOf(bodies, func(int) string { return at.Path }),
	})
	if err != nil {
		return err
	}
	fmt.Println(result)
	return nil
}
