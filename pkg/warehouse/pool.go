package warehouse

import (
	"context"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// pool is a bounded number of connections to one server, opened when they are needed.
type pool struct {
	config   *Config
	replicas *replicas
	idle     chan connection
}

// connection is to one of the replicas. Without a client it is still to be opened.
type connection struct {
	*ch.Client
	to int32
}

func newPool(config *Config, r *replicas, size int) *pool {
	p := &pool{config: config, replicas: r, idle: make(chan connection, size)}
	for range size {
		p.idle <- connection{}
	}
	return p
}

// do runs a query on a connection of its own, and tells how long that took.
func (p *pool) do(ctx context.Context, q ch.Query) (took time.Duration, err error) {
	var c connection
	select {
	case c = <-p.idle:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { p.idle <- c }()
	start := time.Now()
	c, err = p.run(ctx, c, q)
	return time.Since(start), err
}

// run returns the connection if it can be used again.
func (p *pool) run(ctx context.Context, c connection, q ch.Query) (connection, error) {
	if c.Client != nil && !p.replicas.current(c) {
		_ = c.Close() // ErrClosed if it broke before
	}
	if c.Client == nil || c.IsClosed() {
		var err error
		if c, err = p.connect(ctx); err != nil {
			return connection{}, err
		}
	}
	err := p.ask(ctx, c, q)
	if err == nil && !p.replicas.current(c) {
		err = errMoved
	}
	if err != nil {
		_ = c.Close() // what has gone over it is unknown
		if !ch.IsException(err) {
			p.forget()
		}
		p.replicas.leave(ctx, c, err)
		return connection{}, err
	}
	return c, nil
}

func (p *pool) ask(ctx context.Context, c connection, q ch.Query) error {
	// The client looks at its context only between reads, and goes on reading from a server that is silent:
	// closing the connection ends both. What is done with a part of the result is not the server's time.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(p.config.Timeout, cancel)
	defer silence.Stop()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if take := q.OnResult; take != nil {
		q.OnResult = func(ctx context.Context, b proto.Block) error {
			silence.Stop()
			defer silence.Reset(p.config.Timeout)
			return take(ctx, b)
		}
	}
	return c.Do(ctx, q)
}

// connect opens a connection to the replica that is used, or to the first after it that answers.
func (p *pool) connect(ctx context.Context) (c connection, err error) {
	for range p.replicas.addrs {
		if c, err = p.dial(ctx, p.replicas.at.Load()); err == nil {
			return c, nil
		}
		p.replicas.leave(ctx, c, err)
	}
	return connection{}, explain(err)
}

func (p *pool) dial(ctx context.Context, to int32) (c connection, err error) {
	c.to = to
	options, err := p.config.options(p.replicas.addrs[to])
	if err != nil {
		return c, err
	}
	if c.Client, err = ch.Dial(ctx, options); err != nil {
		return c, err
	}
	if err = p.catchUp(ctx, c); err != nil {
		_ = c.Close() // as it is of no use
	}
	return c, err
}

// forget closes the idle connections: where one has broken, as when the server was started anew, the others have too,
// and each would cost an attempt to find out.
func (p *pool) forget() {
	for range cap(p.idle) {
		select {
		case c := <-p.idle:
			if c.Client != nil {
				_ = c.Close() // it is broken, most likely
			}
			p.idle <- connection{}
		default:
			return
		}
	}
}

// close ends the connections. No query may be under way.
func (p *pool) close() {
	for range cap(p.idle) {
		if c := <-p.idle; c.Client != nil {
			_ = c.Close() // ErrClosed if it broke before
		}
	}
}
