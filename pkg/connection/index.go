package connection

import (
	"crypto/sha256"
	"maps"
	"sync"
	"sync/atomic"
)

// indexShards is the number of maps in the index. A map is copied when an id is added, so many small maps keep reading
// a long topic fast.
const indexShards = 4096

// index maps connection ids to entries. Reading takes no lock and allocates nothing; adding and removing copy one
// shard. The zero value is empty.
type index struct {
	mu     sync.Mutex // held by writers
	shards [indexShards]atomic.Pointer[map[string]*entry]
}

// entry holds the state of one connection id. Its connection and its activity are separate records and arrive in either
// order.
type entry struct {
	id    string
	state atomic.Pointer[state] // nil if there is no connection

	superseded atomic.Bool // the last record of the connection is one that was skipped: see superseded.go

	// activity merges all records, written is the last record. They differ after concurrent writes of edges; the
	// recorders then write the merged activity. nil without a record.
	activity atomic.Pointer[Activity]
	written  atomic.Pointer[Activity]

	proof atomic.Pointer[proof]
	gate  chan struct{} // full while a token of this connection is being proved

	// Fields written per request are on another cache line than the 64 bytes above, which are only read.
	firstSeen, lastSeen atomic.Int64 // events at this edge; Unix milliseconds, 0 for none
	counter             counter      // of this edge
}

// waiting reports whether no event is recorded.
func (e *entry) waiting() bool {
	a := e.activity.Load()
	return a == nil || a.IsZero()
}

// state is one version of a connection.
type state struct {
	connection *Connection
	// hashes identifies the two hashes in a proof. A proof for other hashes never matches, even if the id was deleted
	// and created again with the same generation.
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

// shardOf is FNV-1a. Ids are random and created with the token key, so senders cannot make them collide.
func shardOf[T string | []byte](id T) uint32 {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return (h ^ h>>16) % indexShards
}

// ensure returns the entry of id and adds it if it is missing.
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
