package warehouse

import (
	"context"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// pool is a bounded number of connections, opened when they are needed.
type pool struct {
	config Config
	idle   chan *ch.Client // nil stands for a connection that is still to be opened
}

func newPool(config Config, size int) pool {
	p := pool{config: config, idle: make(chan *ch.Client, size)}
	for range size {
		p.idle <- nil
	}
	return p
}

// do runs a query on a connection of its own, and tells how long that took.
func (p *pool) do(ctx context.Context, q ch.Query) (took time.Duration, err error) {
	var client *ch.Client
	select {
	case client = <-p.idle:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { p.idle <- client }()
	start := time.Now()
	client, err = p.run(ctx, client, q)
	return time.Since(start), err
}

// run returns the connection if it can be used again.
func (p *pool) run(ctx context.Context, client *ch.Client, q ch.Query) (*ch.Client, error) {
	if client != nil && client.IsClosed() {
		client = nil
	}
	if client == nil {
		options, err := p.config.options()
		if err != nil {
			return nil, err
		}
		if client, err = ch.Dial(ctx, options); err != nil {
			return nil, explain(err)
		}
	}
	// The client looks at its context only between reads, and goes on reading from a server that is silent:
	// closing the connection ends both. What is done with a part of the result is not the server's time.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(p.config.Timeout, cancel)
	defer silence.Stop()
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	if take := q.OnResult; take != nil {
		q.OnResult = func(ctx context.Context, b proto.Block) error {
			silence.Stop()
			defer silence.Reset(p.config.Timeout)
			return take(ctx, b)
		}
	}
	if err := client.Do(ctx, q); err != nil {
		_ = client.Close() // what has gone over it is unknown
		if !ch.IsException(err) {
			p.forget()
		}
		return nil, err
	}
	return client, nil
}

// forget closes the idle connections: where one has broken, as when the server was started anew, the others have too,
// and each would cost an attempt to find out.
func (p *pool) forget() {
	for range cap(p.idle) {
		select {
		case client := <-p.idle:
			if client != nil {
				_ = client.Close() // it is broken, most likely
			}
			p.idle <- nil
		default:
			return
		}
	}
}

// Close ends the connections. No query may be under way.
func (p *pool) Close() {
	for range cap(p.idle) {
		if client := <-p.idle; client != nil {
			_ = client.Close() // ErrClosed if it broke before
		}
	}
}
