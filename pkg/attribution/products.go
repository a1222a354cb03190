package attribution

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/pkg/warehouse"
)

// products are those a lane has seen. The goroutine that sends uses it.
type products struct {
	conversing *conversing
	seen       map[string]*product
	last       *product // runs of one product are common
	unasked    []string
}

type product struct {
	workspace, name string
	active          *atomic.Bool // whether it has conversations at all; the same for all lanes
}

func newProducts(a *Service) *products {
	return &products{conversing: &a.conversing, seen: map[string]*product{}}
}

// see tells whether the product has been seen before.
func (p *products) see(workspace, name []byte) bool {
	if p.last != nil && p.last.name == string(name) && p.last.workspace == string(workspace) {
		return true
	}
	p.last = p.seen[string(name)]
	if p.last != nil && p.last.workspace == string(workspace) {
		return true
	}
	p.last = &product{workspace: string(workspace), name: string(name), active: p.conversing.of(string(name))}
	p.seen[p.last.name] = p.last
	p.unasked = append(p.unasked, p.last.name)
	return false
}

// askForActivity finds out about the products that are new to the lane: others may have written their activities.
func (p *products) askForActivity(ctx context.Context, lookup *warehouse.Lookup) error {
	if len(p.unasked) == 0 {
		return nil
	}
	some, err := lookup.ProductsWithActivity(ctx, p.unasked)
	if err != nil {
		return err
	}
	for _, name := range some {
		p.seen[name].active.Store(true)
	}
	p.unasked = nil
	return nil
}

// active tells whether the product may have conversations.
func (p *products) active(name []byte) bool {
	if p.last == nil || p.last.name != string(name) {
		p.last = p.seen[string(name)]
	}
	return p.last.active.Load()
}

// activeText is active for a name that may be of rows that were dropped: those were not seen.
func (p *products) activeText(name string) bool {
	seen := p.seen[name]
	return seen != nil && seen.active.Load()
}

// activate notes that a product has an activity.
func (p *products) activate(name []byte) { p.seen[string(name)].active.Store(true) }

// conversing are the products that lanes have seen, and whether they have conversations. One lane learns so of itself and
// of the other lanes' activities at once, and of other loaders' when this one hears of them: before that is announced, so
// that a flight which did not look back is one that the announced news is worked in after.
type conversing struct {
	mu  sync.Mutex
	all map[string]*atomic.Bool
}

func (c *conversing) of(product string) *atomic.Bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[string]*atomic.Bool{}
	}
	if c.all[product] == nil {
		c.all[product] = &atomic.Bool{}
	}
	return c.all[product]
}

// note notes that a product has an activity.
func (c *conversing) note(product string) { c.of(product).Store(true) }
