package warehouse

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/ClickHouse/ch-go"
)

// replicas are the addresses of one shard, which all of a process's connections to it share: they use one of them, so that
// what is read has what was written, and together go on to the next when it fails.
type replicas struct {
	addrs []string
	at    atomic.Int32
}

// errMoved: what came of a query is not what the replica that is used by now may have. It is asked again, there: a block
// that is sent again under its token is written by the second replica too, if it is not there yet.
var errMoved = errors.New("another replica is used by now")

func (r *replicas) current(c connection) bool { return c.to == r.at.Load() }

// leave goes on to the next replica, after an error that may be one replica's alone. Whoever fails on the one before later
// has nothing more to move.
func (r *replicas) leave(ctx context.Context, c connection, err error) {
	if _, refused := RejectedRows(err); refused || ctx.Err() != nil {
		return
	}
	r.at.CompareAndSwap(c.to, (c.to+1)%int32(len(r.addrs)))
}

// catchUp has a replica fetch what the others have acknowledged, before anything is read from it.
func (p *pool) catchUp(ctx context.Context, c connection) error {
	for _, query := range p.config.catchingUp() {
		if err := p.ask(ctx, c, ch.Query{Body: query}); err != nil {
			return err
		}
	}
	return nil
}

// syncReplicas waits until the selected replicas have what the others have acknowledged.
func (l *Lookup) syncReplicas(ctx context.Context) error {
	queries := l.config.catchingUp()
	if len(queries) == 0 {
		return nil
	}
	return l.eachShard(ctx, func(p *pool) error {
		for _, query := range queries {
			if _, err := p.do(ctx, ch.Query{Body: query}); err != nil {
				return err
			}
		}
		return nil
	})
}

// catchingUp needs no merges to be done: what has been inserted has to be there.
func (c *Config) catchingUp() (queries []string) {
	if !c.Replicated {
		return nil
	}
	for _, table := range slices.Sorted(maps.Keys(shardKeys)) {
		queries = append(queries, "SYSTEM SYNC REPLICA "+table+" LIGHTWEIGHT")
	}
	return queries
}
