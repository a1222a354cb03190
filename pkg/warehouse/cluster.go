package warehouse

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/pkg/column"
)

// servers holds the shards, which all inserters and look-ups of a process share.
type servers struct {
	config Config

	mu     sync.Mutex
	shards []*replicas // nil until find has returned
	slots  []int
}

func newServers(config Config) (*servers, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s := &servers{config: config}
	if config.Cluster == "" {
		s.shards, s.slots = []*replicas{{addrs: []string{config.ClickHouse}}}, []int{0}
	}
	return s, nil
}

// find asks for the shards of a cluster, once. A replica of each shard must confirm its layout.
func (s *servers) find(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shards != nil {
		return nil
	}
	shards, err := s.config.shards(ctx)
	if err != nil {
		return err
	}
	found := make([]*replicas, len(shards))
	for i := range shards {
		found[i] = &replicas{addrs: shards[i].addrs}
		for _, addr := range shards[i].addrs {
			if err = s.config.checkLayout(ctx, addr, i+1, shards); err == nil || errors.Is(err, errShardsChanged) {
				break
			}
		}
		if err != nil {
			return err
		}
	}
	s.shards, s.slots = found, slotsOf(shards)
	return nil
}

// cluster is a connection pool for each shard.
type cluster struct {
	*servers
	size  int
	pools atomic.Pointer[[]*pool]
}

// open returns the pools of the shards, in order.
func (c *cluster) open(ctx context.Context) ([]*pool, error) {
	if pools := c.pools.Load(); pools != nil {
		return *pools, nil
	}
	if err := c.find(ctx); err != nil {
		return nil, err
	}
	pools := make([]*pool, len(c.shards))
	for i, r := range c.shards {
		pools[i] = newPool(&c.config, r, c.size)
	}
	c.pools.CompareAndSwap(nil, &pools) // pools of a concurrent call have no connections yet
	return *c.pools.Load(), nil
}

// Close closes the connections. No query may be in progress.
func (c *cluster) Close() {
	if pools := c.pools.Load(); pools != nil {
		for _, p := range *pools {
			p.close()
		}
	}
}

// shardsOf returns the pools of the shards that keys are in.
func (c *cluster) shardsOf(pools []*pool, keys *proto.ColStr) []*pool {
	if len(pools) == 1 {
		return pools
	}
	var shards []int
	for i := range keys.Rows() {
		if shard := shardOf(c.slots, keys.RowBytes(i)); !slices.Contains(shards, shard) {
			shards = append(shards, shard)
		}
	}
	slices.Sort(shards)
	selected := make([]*pool, len(shards))
	for i, shard := range shards {
		selected[i] = pools[shard]
	}
	return selected
}

// insert inserts a block in parts and returns how long the slowest insert took. Without a token, ClickHouse does not
// deduplicate the block.
func (c *cluster) insert(ctx context.Context, b *block, token string) (took time.Duration, err error) {
	pools, err := c.open(ctx)
	if err != nil {
		return 0, err
	}
	parts := b.split(c.slots, len(pools))
	var sending errgroup.Group
	times := make([]time.Duration, len(parts))
	for i, p := range parts {
		queryID := ""
		if token == "" {
			queryID = idempotentPrefix + uuid.NewString()
		}
		sending.Go(func() (err error) {
			times[i], err = pools[p.shard].insert(ctx, p.block, queryID, insertSettings(p.token(token)))
			return err
		})
	}
	err = sending.Wait()
	return slices.Max(times), err
}

// partBlock holds the rows of a block that are inserted together: of one shard and of a bounded number of months. The
// same block is always split into the same parts.
type partBlock struct {
	*block
	shard  int
	suffix string // of the token
}

// token returns the part's token, from the block's.
func (p *partBlock) token(of string) string {
	if of == "" {
		return ""
	}
	return of + p.suffix
}

// Offset returns the Kafka offset of a row's record.
func (p *partBlock) Offset(row int) int64 {
	return columnNamed[*column.Fixed](p.block, "kafka_offset").Int64(row)
}

// split returns the parts of a block: by shard, and by month if it has rows of many months.
func (b *block) split(slots []int, shards int) (parts []*partBlock) {
	for _, s := range b.splitByShard(slots, shards) {
		months := s.splitByMonth()
		for i, rows := range months {
			p := &partBlock{rows, s.shard, s.suffix}
			if len(months) > 1 {
				p.suffix += "/months-" + strconv.Itoa(i+1)
			}
			parts = append(parts, p)
		}
	}
	return parts
}

func (b *block) splitByShard(slots []int, shards int) (parts []*partBlock) {
	if shards == 1 {
		return []*partBlock{{block: b}}
	}
	suffix := func(shard int) string { return "/shard-" + strconv.Itoa(shard+1) }
	to := make([]int, 0, b.Rows())
	rows := make([]int, shards)
	b.columns[slices.Index(b.names, shardKeys[b.table])].(column.Keyed).EachKey(func(key []byte) {
		shard := shardOf(slots, key)
		to = append(to, shard)
		rows[shard]++
	})
	if shard := slices.Index(rows, len(to)); shard >= 0 {
		return []*partBlock{{b, shard, suffix(shard)}}
	}
	for shard, rowsOfShard := range b.partition(0, to, shards) {
		if rows[shard] > 0 {
			parts = append(parts, &partBlock{rowsOfShard, shard, suffix(shard)})
		}
	}
	return parts
}
