package warehouse

import (
	"context"
	"errors"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// Lookup reads and writes what attribution needs, in bulk.
type Lookup struct {
	*cluster
	selectShards func([]*pool) []*pool // nil selects all shards
}

// lookupConnections bounds the look-ups in progress: those of partition workers, and those that pull remote changes,
// which ask while they read.
const lookupConnections = 4

// NewLookup returns a Lookup that connects on first use.
func NewLookup(config Config) (*Lookup, error) {
	s, err := newServers(config)
	if err != nil {
		return nil, err
	}
	return &Lookup{cluster: &cluster{servers: s, size: lookupConnections}}, nil
}

// Inserter returns an inserter that uses the same replicas, so the Lookup finds what it has inserted.
func (l *Lookup) Inserter() *Inserter {
	return &Inserter{cluster{servers: l.servers, size: l.config.Inserts}}
}

// FindShards asks ClickHouse for the shards of the cluster. An error for which ShardsChanged is true is final.
func (l *Lookup) FindShards(ctx context.Context) error { return l.find(ctx) }

// ShardsChanged reports whether err says that the shards are not those that rows were distributed over.
func ShardsChanged(err error) bool { return errors.Is(err, errShardsChanged) }

// Insert writes rows, and returns how long the insert took. Writing them again changes nothing, so the insert needs no
// deduplication token. While it is in progress, it holds the Watermark.
func (l *Lookup) Insert(ctx context.Context, b IdempotentBlock) (took time.Duration, err error) {
	return l.insert(ctx, b.self(), "")
}

// on returns a Lookup that asks only the shards of the keys, which are products or workspaces.
func (l *Lookup) on(keys *proto.ColStr) *Lookup {
	return &Lookup{l.cluster, func(pools []*pool) []*pool { return l.shardsOf(pools, keys) }}
}

// eachShardAlone calls do with a Lookup for each selected shard, for results that must not be mixed.
func (l *Lookup) eachShardAlone(ctx context.Context, do func(*Lookup) error) error {
	return l.eachShard(ctx, func(p *pool) error {
		return do(&Lookup{l.cluster, func([]*pool) []*pool { return []*pool{p} }})
	})
}

// eachShard calls do for each selected shard, one after the other.
func (l *Lookup) eachShard(ctx context.Context, do func(*pool) error) error {
	pools, err := l.open(ctx)
	if err != nil {
		return err
	}
	if l.selectShards != nil {
		pools = l.selectShards(pools)
	}
	for _, p := range pools {
		if err := do(p); err != nil {
			return err
		}
	}
	return nil
}
