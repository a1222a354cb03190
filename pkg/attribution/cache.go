package attribution

import "hash/maphash"

// key stands for an external id or an address in a workspace. With 128 bits of two keyed hashes no two are
// ever taken for each other, and no name has to be kept.
type key struct{ a, b uint64 }

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func hash(b []byte) key { return key{maphash.Bytes(seeds[0], b), maphash.Bytes(seeds[1], b)} }

// in is the key of a name in a scope. The scope is turned, or a name like the scope would cancel it out.
func (k key) in(scope key) key { return key{k.a + scope.b*3, k.b + scope.a*5} }

// cache keeps what was used last: entries are in the young half or the old one, use moves them to the young,
// and when that is full the old is forgotten and the young becomes old. So it holds at most twice half.
type cache[V any] struct{ young, old map[key]*V }

func newCache[V any]() cache[V] { return cache[V]{young: map[key]*V{}} }

func (c *cache[V]) get(k key) *V {
	if v := c.young[k]; v != nil {
		return v
	}
	v := c.old[k]
	if v != nil {
		delete(c.old, k)
		c.young[k] = v
	}
	return v
}

// peek is get for those whose interest is no use.
func (c *cache[V]) peek(k key) *V {
	if v := c.young[k]; v != nil {
		return v
	}
	return c.old[k]
}

func (c *cache[V]) put(k key, v *V) { c.young[k] = v }

func (c *cache[V]) len() int { return len(c.young) + len(c.old) }

func (c *cache[V]) turn() {
	c.young, c.old = make(map[key]*V, len(c.young)), c.young
}
