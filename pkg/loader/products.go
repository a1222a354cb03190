package loader

import (
	"context"

	"github.com/millrace/millrace/pkg/warehouse"
)

// products are those a lane has seen. The lane is the only one that writes their activities, so what it knows
// of them stays true as long as it is theirs. The goroutine that sends uses it.
type products struct {
	seen    map[string]*product
	last    *product // runs of one product are common
	unasked []string
}

type product struct {
	workspace, name string
	active          bool // whether it has conversations at all
}

func newProducts() products { return products{seen: map[string]*product{}} }

// see tells whether the product has been seen before.
func (p *products) see(workspace, name []byte) bool {
	if p.last != nil && p.last.name == string(name) && p.last.workspace == string(workspace) {
		return true
	}
	p.last = p.seen[string(name)]
	if p.last != nil && p.last.workspace == string(workspace) {
		return true
	}
	p.last = &product{workspace: string(workspace), name: string(name)}
	p.seen[p.last.name] = p.last
	p.unasked = append(p.unasked, p.last.name)
	return false
}

// askForActivity finds out about the products that are new.
func (p *products) askForActivity(ctx context.Context, lookup *warehouse.Lookup) error {
	if len(p.unasked) == 0 {
		return nil
	}
	some, err := lookup.ProductsWithActivity(ctx, p.unasked)
	if err != nil {
		return err
	}
	for _, name := range some {
		p.seen[name].active = true
	}
	p.unasked = nil
	return nil
}

// active tells whether the product may have conversations.
func (p *products) active(name []byte) bool {
	if p.last == nil || p.last.name != string(name) {
		p.last = p.seen[string(name)]
	}
	return p.last.active
}

// activate notes that a product has had an activity.
func (p *products) activate(name []byte) { p.seen[string(name)].active = true }
