package identity

import "hash/maphash"

// key stands for an external id or an address in a workspace. 128 bits of two keyed hashes make collisions practically
// impossible, so names are not kept.
type key struct{ a, b uint64 }

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func hash(b []byte) key { return key{maphash.Bytes(seeds[0], b), maphash.Bytes(seeds[1], b)} }

// in returns the key of a name in a scope. It swaps the halves of the scope, because a name equal to its scope would
// cancel it out.
func (k key) in(scope key) key { return key{k.a + scope.b*3, k.b + scope.a*5} }

// cache keeps the entries that were used last. An entry is recent if it was used in the current generation. A new
// generation evicts the entries that are not recent. So the cache holds at most twice as many entries as are recent at
// the end of a generation.
//
// Entries lie in pages without pointers, so that the garbage collector does not scan millions of them. An index with
// open addressing finds them. An entry takes 125 bytes (BenchmarkMemory); with maps of pointers it took 175. An entry
// never moves.
type cache[V any] struct {
	index      []slot // its length is a power of two; at most three quarters are taken
	pages      [][]entry[V]
	free       []uint32 // numbers of free entries
	len        int
	recent     int
	generation uint32
}

// slot is the number of an entry, from 1 on, in the high half, and the low bits of its key in the low half. 0 is free.
type slot uint64

type entry[V any] struct {
	key        key
	generation uint32 // of its last use; 0 if the entry is free
	value      V
}

const (
	pageBits = 10
	pageSize = 1 << pageBits
	minSlots = 1 << 4
)

func newCache[V any]() cache[V] { return cache[V]{index: make([]slot, minSlots), generation: 1} }

func (m slot) home(index []slot) int { return int(uint32(m)) & (len(index) - 1) }

func (c *cache[V]) at(m slot) *entry[V] {
	n := uint32(m>>32) - 1
	return &c.pages[n>>pageBits][n&(pageSize-1)]
}

// find returns the position of k in the index, or where it would be put.
func (c *cache[V]) find(k key) int {
	last := len(c.index) - 1
	at := int(uint32(k.a)) & last
	for ; c.index[at] != 0; at = (at + 1) & last {
		if m := c.index[at]; uint32(m) == uint32(k.a) && c.at(m).key == k {
			return at
		}
	}
	return at
}

// get returns an entry and makes it recent, or nil.
func (c *cache[V]) get(k key) *V {
	m := c.index[c.find(k)]
	if m == 0 {
		return nil
	}
	e := c.at(m)
	if e.generation != c.generation {
		e.generation = c.generation
		c.recent++
	}
	return &e.value
}

// peek is get without making the entry recent.
func (c *cache[V]) peek(k key) *V {
	if m := c.index[c.find(k)]; m != 0 {
		return &c.at(m).value
	}
	return nil
}

// put adds an entry, which must not exist, with a zero value.
func (c *cache[V]) put(k key) *V {
	if 4*(c.len+1) > 3*len(c.index) {
		c.rehash(2 * len(c.index))
	}
	if len(c.free) == 0 {
		first := uint32(len(c.pages)) << pageBits
		c.pages = append(c.pages, make([]entry[V], pageSize))
		for n := first + pageSize; n > first; n-- {
			c.free = append(c.free, n-1)
		}
	}
	n := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	m := slot(n+1)<<32 | slot(uint32(k.a))
	c.index[c.find(k)] = m
	e := c.at(m)
	e.key, e.generation = k, c.generation
	c.len++
	c.recent++
	return &e.value
}

// remove removes an entry, and moves index slots behind it that would not be found any more.
func (c *cache[V]) remove(k key) {
	at := c.find(k)
	if c.index[at] == 0 {
		return
	}
	c.release(c.at(c.index[at]), uint32(c.index[at]>>32)-1)
	last := len(c.index) - 1
	for next := (at + 1) & last; c.index[next] != 0; next = (next + 1) & last {
		if m := c.index[next]; (next-m.home(c.index))&last >= (next-at)&last {
			c.index[at], at = m, next
		}
	}
	c.index[at] = 0
}

func (c *cache[V]) release(e *entry[V], n uint32) {
	if e.generation == c.generation {
		c.recent--
	}
	*e = entry[V]{}
	c.free = append(c.free, n)
	c.len--
}

// nextGeneration evicts the entries that are not recent. It calls evicted for each before; evicted may be nil.
func (c *cache[V]) nextGeneration(evicted func(*V)) {
	for p, page := range c.pages {
		for j := range page {
			if e := &page[j]; e.generation != 0 && e.generation != c.generation {
				if evicted != nil {
					evicted(&e.value)
				}
				c.release(e, uint32(p<<pageBits+j))
			}
		}
	}
	c.generation++
	c.recent = 0
	c.rehash(len(c.index))
}

// rehash rebuilds the index with another length.
func (c *cache[V]) rehash(size int) {
	c.index = make([]slot, size)
	for p, page := range c.pages {
		for j := range page {
			if e := &page[j]; e.generation != 0 {
				c.index[c.find(e.key)] = slot(p<<pageBits+j+1)<<32 | slot(uint32(e.key.a))
			}
		}
	}
}

// each calls do for all entries.
func (c *cache[V]) each(do func(*V)) {
	for _, page := range c.pages {
		for j := range page {
			if page[j].generation != 0 {
				do(&page[j].value)
			}
		}
	}
}
