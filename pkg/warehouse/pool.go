package warehouse

import (
	"context"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// pool is a bounded number of connections to the replicas of one shard, opened on first use.
type pool struct {
	config   *Config
	replicas *replicas
	idle     chan connection
}

// connection is a connection to one of the replicas. Its client is nil until it is opened.
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

// do runs a query on a free connection and returns how long the query took, without the wait for the connection.
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

// run runs a query and returns the connection, or an unopened one after an error.
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
	err := p.send(ctx, c, q)
	if err == nil && !p.replicas.current(c) {
		err = errMoved
	}
	if err != nil {
		_ = c.Close() // its state is unknown
		if !ch.IsException(err) {
			p.forget()
		}
		p.replicas.leave(ctx, c, err)
		return connection{}, err
	}
	return c, nil
}

// send runs a query on an open connection. It closes the connection if ctx ends or the server is silent for the
// time-out.
func (p *pool) send(ctx context.Context, c connection, q ch.Query) error {
	// The client checks its context only between reads, so only closing the connection ends a read. The time in
	// OnResult does not count as the server's.
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

// connect opens a connection to the current replica, or to the first one after it that answers.
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
	if err = p.syncReplica(ctx, c); err != nil {
		_ = c.Close() // the first error is returned
	}
	return c, err
}

// forget closes the idle connections. If one connection broke, as after a restart of the server, the others have too,
// and each would fail one query.
func (p *pool) forget() {
	for range cap(p.idle) {
		select {
		case c := <-p.idle:
			if c.Client != nil {
				_ = c.Close() // probably broken
			}
			p.idle <- connection{}
		default:
			return
		}
	}
}

// close closes the connections. No query may be in progress.
func (p *pool) close() {
	for range cap(p.idle) {
		if c := <-p.idle; c.Client != nil {
			_ = c.Close() // ErrClosed if it broke before
		}
	}
}
