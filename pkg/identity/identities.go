package identity

import "sync"

// Identities is the cache of external ids and addresses, and decides their users. All partition workers of a loader
// share it, because users belong to a workspace and its products may be in any partition.
type Identities struct {
	mu             sync.Mutex
	generationSize int // recently used entries of either kind after which the others may be evicted
	externalIDs    cache[externalID]
	addresses      cache[address]
	organizations  cache[organization]
	conversations  cache[struct{}]

	extras     []*extraPairs
	freeExtras []uint32 // positions in extras, from 1 on

	complete bool // all stored claims are in the cache: what is not in it has no claim

	generation int                      // number of evictions
	batchCount uint64                   // batches ever begun
	batches    map[*Batch]chan struct{} // in progress; the channel is closed when the batch completes

	hits, misses uint64
}

// NewIdentities returns a cache of about size external ids and as many addresses.
func NewIdentities(size int) *Identities {
	return &Identities{
		generationSize: max(size/2, 1),
		externalIDs:    newCache[externalID](),
		addresses:      newCache[address](),
		organizations:  newCache[organization](),
		conversations:  newCache[struct{}](),
		batches:        map[*Batch]chan struct{}{},
	}
}

// Stats are figures of the cache.
type Stats struct {
	Entries      int
	Hits, Misses uint64
}

// Stats returns the number of entries, and the look-ups that it answered and did not answer so far.
func (i *Identities) Stats() Stats {
	i.mu.Lock()
	defer i.mu.Unlock()
	return Stats{i.externalIDs.len + i.addresses.len, i.hits, i.misses}
}

// Lock must be held while entities are added, observed or resolved: once for many, because the lock alone costs more
// than one of these steps.
func (i *Identities) Lock() { i.mu.Lock() }

// Unlock releases Lock.
func (i *Identities) Unlock() { i.mu.Unlock() }

// evict makes room if it may. Entries of a batch must stay until it completes, because its claims may not be written
// yet. An entry survives the next eviction after its last use. So an eviction is safe if all batches in progress began
// after the previous one.
func (i *Identities) evict() {
	for b := range i.batches {
		if b.generation < i.generation {
			return
		}
	}
	limit := i.generationSize
	if i.complete {
		limit *= 2 // all entries are of one generation
	}
	if i.externalIDs.recent < limit && i.addresses.recent < limit {
		return
	}
	i.generation++
	i.complete = false
	i.externalIDs.nextGeneration(i.freeExtra)
	i.addresses.nextGeneration(nil)
}

// Change is what a claim changes.
type Change struct {
	New          bool // the claim is not covered by earlier claims
	Reassigned   bool // stored rows with its external id or its address may resolve to another user now,
	PreviousUser ID   // as may rows of the user that had the address before; zero if none had it
}

// Merge adds a claim that another loader wrote. Unless the cache is complete, entries that are not in it are left out:
// they are looked up when a batch needs them. The caller treats the entities as reassigned, even if the cache does not
// change: a look-up may have read the claim before, but stored rows were resolved without it.
func (i *Identities) Merge(c *Claim) {
	i.mu.Lock()
	defer i.mu.Unlock()
	scope := hash(c.Workspace)
	var x *externalID
	var a *address
	var addressKey key
	if c.ExternalID != nil {
		k := hash(c.ExternalID).in(scope)
		if x = i.externalIDs.peek(k); x == nil && i.complete {
			x = i.putExternalID(k, c.UserID)
		}
	}
	if c.Email != nil {
		addressKey = hash(c.Email).in(scope)
		if a = i.addresses.peek(addressKey); a == nil && i.complete {
			a = i.putAddress(addressKey, c.Workspace, c.Email)
		}
	}
	i.observe(x, a, addressKey, c)
}

// observe adds a claim to its external id and its address. Either is nil if it is not in the cache.
func (i *Identities) observe(x *externalID, a *address, addressKey key, c *Claim) (change Change) {
	switch {
	case x != nil:
		wasFinal := x.isFinal()
		change.New = i.pair(x, addressKey).observe(c.Explicit, c.Event, c.FirstName)
		x.explicit = x.explicit || c.Explicit.At != Never
		if !wasFinal && x.isFinal() {
			change.New, change.Reassigned = true, true
		}
	case a != nil && c.ExternalID == nil:
		change.New = a.withoutID.observe(c.Explicit, c.Event, c.FirstName)
	}
	if a == nil {
		return change
	}
	// The hold of a pair is the least hold of its claims, so each claim can be compared alone.
	hold := holdOf(c.ExternalID != nil, c.Explicit.At, c.Event.At, c.UserID)
	if !hold.precedes(&a.hold) {
		return change
	}
	change.New = true
	if a.hold.UserID != hold.UserID {
		change.PreviousUser = a.hold.UserID
		// No stored event has an address without a hold; but the external id may be in stored events.
		change.Reassigned = change.Reassigned || a.hold.Strength != Unclaimed || x != nil && !i.isUser(x)
	}
	a.hold = hold
	return change
}

// isUser returns whether an external id is a user: it is final, or it holds one of its addresses.
func (i *Identities) isUser(x *externalID) bool {
	if x.isFinal() {
		return true
	}
	return i.anyPair(x, func(p *pair) bool {
		a := i.addresses.peek(p.address)
		return a != nil && a.hold.UserID == x.id
	})
}

// resolve returns the user: by external id, then by address.
func (i *Identities) resolve(x *externalID, a *address) (id ID, ok bool) {
	if x != nil && (a != nil && a.hold.UserID == x.id || i.isUser(x)) {
		return x.id, true
	}
	if a != nil && a.hold.Strength != Unclaimed {
		return a.hold.UserID, true
	}
	return ID{}, false
}
