package attribution

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/pkg/warehouse"
)

// partitionProducts are the products that a partition has records of. Only the partition's worker uses it.
type partitionProducts struct {
	active    *activeProducts
	seen      map[string]*product
	last      *product // a cache: records of one product often follow each other
	unchecked []string // products whose activity in ClickHouse is not looked up yet
}

type product struct {
	workspace, name string
	active          *atomic.Bool // shared by all partitions: the product has activities
}

func newPartitionProducts(active *activeProducts) *partitionProducts {
	return &partitionProducts{active: active, seen: map[string]*product{}}
}

// add adds a product, and returns false if it was known.
func (p *partitionProducts) add(workspace, name []byte) bool {
	if p.last != nil && p.last.name == string(name) && p.last.workspace == string(workspace) {
		return false
	}
	p.last = p.seen[string(name)]
	if p.last != nil && p.last.workspace == string(workspace) {
		return false
	}
	p.last = &product{workspace: string(workspace), name: string(name), active: p.active.flag(string(name))}
	p.seen[p.last.name] = p.last
	p.unchecked = append(p.unchecked, p.last.name)
	return true
}

// checkActivity looks up whether new products have activities, which other loaders may have written.
func (p *partitionProducts) checkActivity(ctx context.Context, lookup *warehouse.Lookup) error {
	if len(p.unchecked) == 0 {
		return nil
	}
	active, err := lookup.ProductsWithActivity(ctx, p.unchecked)
	if err != nil {
		return err
	}
	for _, name := range active {
		p.seen[name].active.Store(true)
	}
	p.unchecked = nil
	return nil
}

// isActive returns whether a product that was added has activities.
func (p *partitionProducts) isActive(name []byte) bool {
	if p.last == nil || p.last.name != string(name) {
		p.last = p.seen[string(name)]
	}
	return p.last.active.Load()
}

// isKnownActive is isActive for a product that may not have been added: rows that were dropped name such products.
func (p *partitionProducts) isKnownActive(name string) bool {
	known := p.seen[name]
	return known != nil && known.active.Load()
}

func (p *partitionProducts) setActive(name []byte) { p.seen[string(name)].active.Store(true) }

// activeProducts has a flag for each product: whether it has activities. Partition workers share it. A flag is set
// before the change of an activity is queued. So a batch that saw the flag unset began before, and the revision waits
// for it.
type activeProducts struct {
	mu    sync.Mutex
	flags map[string]*atomic.Bool
}

func (c *activeProducts) flag(product string) *atomic.Bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flags == nil {
		c.flags = map[string]*atomic.Bool{}
	}
	if c.flags[product] == nil {
		c.flags[product] = &atomic.Bool{}
	}
	return c.flags[product]
}

func (c *activeProducts) set(product string) { c.flag(product).Store(true) }
