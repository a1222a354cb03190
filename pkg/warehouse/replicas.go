package warehouse

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/ClickHouse/ch-go"
)

// replicas holds the addresses of one shard. All connections of a process use the same replica, so reads see its
// writes, and switch to the next one together when it fails.
type replicas struct {
	addrs []string
	at    atomic.Int32
}

// errMoved means that the process switched replicas during a query. The query is retried on the new one, whose answer
// may differ. A retried block has its token, so the new replica writes it only if it is missing.
var errMoved = errors.New("the process has switched to another replica")

func (r *replicas) current(c connection) bool { return c.to == r.at.Load() }

// leave switches to the next replica after an error that may be of one replica only. A later failure on the previous
// replica does not switch again.
func (r *replicas) leave(ctx context.Context, c connection, err error) {
	if _, refused := RejectedRows(err); refused || ctx.Err() != nil {
		return
	}
	r.at.CompareAndSwap(c.to, (c.to+1)%int32(len(r.addrs)))
}

// syncReplica waits until the connection's replica has what the others have acknowledged.
func (p *pool) syncReplica(ctx context.Context, c connection) error {
	for _, query := range p.config.syncQueries() {
		if err := p.send(ctx, c, ch.Query{Body: query}); err != nil {
			return err
		}
	}
	return nil
}

// syncReplicas waits until the selected replicas have what the others have acknowledged.
func (l *Lookup) syncReplicas(ctx context.Context) error {
	queries := l.config.syncQueries()
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

// syncQueries returns the statements that wait for inserts of other replicas, but not for merges.
func (c *Config) syncQueries() (queries []string) {
	if !c.Replicated {
		return nil
	}
	for _, table := range slices.Sorted(maps.Keys(shardKeys)) {
		queries = append(queries, "SYSTEM SYNC REPLICA "+table+" LIGHTWEIGHT")
	}
	return queries
}
