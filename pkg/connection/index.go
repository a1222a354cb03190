package connection

import (
	"crypto/sha256"
	"maps"
	"sync"
	"sync/atomic"
)

// indexShards is how many maps the index consists of. Each is copied when an id is added to it, so
// many small ones keep the reading of a long log fast.
const indexShards = 4096

// index finds entries by connection id. Reading takes no lock and allocates nothing; adding and
// removing copies one shard. The zero value is empty.
type index struct {
	mu     sync.Mutex // held by writers
	shards [indexShards]atomic.Pointer[map[string]*entry]
}

// entry is what this process holds for one connection id. Its connection and its activity are records
// of their own and come in either order.
type entry struct {
	id    string
	state atomic.Pointer[state] // nil if there is no connection, or not any more

	overtaken atomic.Bool // the last record of the connection is one that was skipped: see overtaken.go

	// activity is all the log told, written the last record alone. They differ when edges wrote without
	// knowing of each other; the recorders then write what is merged. nil if there is none.
	activity atomic.Pointer[Activity]
	written  atomic.Pointer[Activity]

	memo atomic.Pointer[memo]
	gate chan struct{} // full while someone proves a token of this connection

	// What is written for each request comes behind the 64 bytes that are only read for it: on a cache line of its own.
	firstSeen, lastSeen atomic.Int64 // by this edge; Unix milliseconds, 0 if nothing
	counter             counter      // of this edge
}

// waiting tells whether the log knows of no event.
func (e *entry) waiting() bool {
	a := e.activity.Load()
	return a == nil || a.IsZero()
}

// state is one version of a connection.
type state struct {
	connection *Connection
	// hashes stands for the two hashes in a memo: one that was made for others never matches, even if
	// the id was deleted and created anew and its generations started over.
	hashes [sha256.Size]byte
}

func newState(c *Connection) *state {
	text := c.TokenHash.Reveal() + "\n" + c.SecretHash.Reveal()
	return &state{c, sha256.Sum256([]byte(text))}
}

// get returns nil for an unknown id.
func get[T string | []byte](x *index, id T) *entry {
	entries := x.shards[shardOf(id)].Load()
	if entries == nil {
		return nil
	}
	return (*entries)[string(id)]
}

// shardOf is FNV-1a. Ids are random and minted with our key, so nobody can make them collide.
func shardOf[T string | []byte](id T) uint32 {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return (h ^ h>>16) % indexShards
}

// ensure returns the entry of id and adds it if need be.
func (x *index) ensure(id string) *entry {
	if e := get(x, id); e != nil {
		return e
	}
	e := &entry{id: id, gate: make(chan struct{}, 1)}
	x.change(id, func(entries map[string]*entry) { entries[id] = e })
	return e
}

func (x *index) remove(id string) {
	x.change(id, func(entries map[string]*entry) { delete(entries, id) })
}

func (x *index) change(id string, edit func(map[string]*entry)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	shard := &x.shards[shardOf(id)]
	entries := map[string]*entry{}
	if old := shard.Load(); old != nil {
		maps.Copy(entries, *old)
	}
	edit(entries)
	shard.Store(&entries)
}

// each calls visit for every entry, in no order.
func (x *index) each(visit func(*entry)) {
	for i := range x.shards {
		if entries := x.shards[i].Load(); entries != nil {
			for _, e := range *entries {
				visit(e)
			}
		}
	}
}
