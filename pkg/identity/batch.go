package identity

import "context"

// Batch is the entities of a batch of events. They are added, the missing ones are looked up and loaded, each is
// observed, each is resolved; when the events are stored, the batch completes. One goroutine uses it.
//
// The users of a batch in progress may be outdated when its events are stored, if another batch observed more. Identity
// changes are applied to stored events. So whoever applies them first waits for the batches in progress.
type Batch struct {
	identities *Identities
	number     uint64 // entries refer to batches by number, so that they do not keep them in memory
	generation int    // of the cache when the batch began
	entities   []entity
	names      []byte // memory for folded addresses
	scopeName  string // the last workspace, and its key
	scope      key

	externalIDs, addresses []Name // to look up
	unknown                []unknownID
}

// unknownID is an external id without a claim. Most visitors stay unknown. So while the cache is complete, it does not
// keep them after their batches.
type unknownID struct {
	key        key
	externalID *externalID
}

// entity is an external id and an address; either is nil if it is missing.
type entity struct {
	externalID *externalID
	address    *address
	addressKey key
}

// Name is an external id or an address in a workspace.
type Name struct{ Workspace, Name []byte }

// AddressState is the stored state of an address: its hold, and the times of claims without an external id.
type AddressState struct {
	Workspace, Email            []byte
	Hold                        Hold
	ExplicitAt, EventAt, NameAt int64 // Never without such a claim
}

// BeginBatch begins a batch.
func (i *Identities) BeginBatch() *Batch {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.evict()
	i.batchCount++
	b := &Batch{identities: i, scope: hash(nil), number: i.batchCount, generation: i.generation}
	i.batches[b] = make(chan struct{})
	return b
}

// Complete ends the batch: its events are stored, or never will be. To complete it twice is harmless.
func (b *Batch) Complete() {
	b.identities.mu.Lock()
	defer b.identities.mu.Unlock()
	if completed, running := b.identities.batches[b]; running {
		close(completed)
		delete(b.identities.batches, b)
	}
	for _, u := range b.unknown {
		u.externalID.batches--
		if u.externalID.batches == 0 && u.externalID.unknown() && b.identities.complete {
			b.identities.externalIDs.remove(u.key)
		}
	}
	b.unknown = nil
}

// AwaitBatches waits until all batches that are in progress now complete, or ctx ends.
func (i *Identities) AwaitBatches(ctx context.Context) error {
	i.mu.Lock()
	var all []<-chan struct{}
	for _, completed := range i.batches {
		all = append(all, completed)
	}
	i.mu.Unlock()
	for _, completed := range all {
		select {
		case <-completed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Grow makes room for n entities.
func (b *Batch) Grow(n int) { b.entities = make([]entity, 0, n) }

// Add adds an entity: an external id and an address, either of which may be nil. Their memory is viewed until the batch
// completes. The caller holds the lock.
func (b *Batch) Add(workspace, externalID, email []byte) {
	if b.scopeName != string(workspace) {
		b.scopeName, b.scope = string(workspace), hash(workspace)
	}
	var e entity
	if externalID != nil {
		e.externalID = b.addExternalID(workspace, externalID)
	}
	if email != nil {
		email, b.names = Fold(b.names, email)
		e.addressKey = hash(email).in(b.scope)
		e.address = b.addAddress(e.addressKey, workspace, email)
	}
	b.entities = append(b.entities, e)
}

func (b *Batch) addExternalID(workspace, name []byte) *externalID {
	i := b.identities
	k := hash(name).in(b.scope)
	x := i.externalIDs.get(k)
	if x == nil {
		x = i.putExternalID(k, UserID(workspace, name))
	}
	if x.lastBatch != b.number {
		x.lastBatch = b.number
		if x.loaded = x.loaded && i.keepAddresses(x); !x.loaded {
			b.externalIDs = append(b.externalIDs, Name{workspace, name})
		}
		i.count(x.loaded)
		if x.unknown() {
			x.batches++
			b.unknown = append(b.unknown, unknownID{k, x})
		}
	}
	return x
}

func (b *Batch) addAddress(k key, workspace, email []byte) *address {
	i := b.identities
	a := i.addresses.get(k)
	if a == nil {
		a = i.putAddress(k, workspace, email)
	}
	if a.lastBatch != b.number {
		a.lastBatch = b.number
		if !a.loaded {
			b.addresses = append(b.addresses, Name{workspace, email})
		}
		i.count(a.loaded)
	}
	return a
}

func (i *Identities) count(hit bool) {
	if hit {
		i.hits++
	} else {
		i.misses++
	}
}

// keepAddresses returns whether all addresses that decide about x are in the cache, and counts them as used.
func (i *Identities) keepAddresses(x *externalID) bool {
	if x.isFinal() {
		return true
	}
	return !i.anyPair(x, func(p *pair) bool { return p.address != (key{}) && i.addresses.get(p.address) == nil })
}

// Missing returns what must be looked up before anything is observed: each external id with all its addresses.
func (b *Batch) Missing() (externalIDs, addresses []Name) { return b.externalIDs, b.addresses }

// Load adds what was looked up: the claims of the external ids, and the states of the addresses, both those that were
// missing and those in the claims.
func (b *Batch) Load(claims []Claim, states []AddressState) {
	i := b.identities
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, n := range b.externalIDs {
		i.externalIDs.get(hash(n.Name).in(hash(n.Workspace))).loaded = true
	}
	for _, n := range b.addresses {
		i.addresses.get(hash(n.Name).in(hash(n.Workspace))).loaded = true
	}
	for j := range states {
		i.loadAddress(&states[j])
	}
	for j := range claims {
		i.loadClaim(&claims[j])
	}
	b.externalIDs, b.addresses = nil, nil
}

func (i *Identities) loadAddress(s *AddressState) {
	k := hash(s.Email).in(hash(s.Workspace))
	a := i.addresses.get(k)
	if a == nil {
		a = i.putAddress(k, s.Workspace, s.Email)
	}
	a.loaded = true
	setEarlier(&a.withoutID.explicitAt, s.ExplicitAt)
	setEarlier(&a.withoutID.eventAt, s.EventAt)
	setEarlier(&a.withoutID.nameAt, s.NameAt)
	if s.Hold.precedes(&a.hold) {
		a.hold = s.Hold
	}
}

// loadClaim adds a claim as it is stored by external id. The state of its address is loaded before, if it is needed.
func (i *Identities) loadClaim(c *Claim) {
	scope := hash(c.Workspace)
	var a *address
	var k key
	if c.Email != nil {
		k = hash(c.Email).in(scope)
		a = i.addresses.get(k)
	}
	x := i.externalIDs.get(hash(c.ExternalID).in(scope))
	hold := holdOf(c.ExternalID != nil, c.Explicit.At, c.Event.At, c.UserID)
	halfWritten := a != nil && hold.precedes(&a.hold)
	i.observe(x, a, k, c)
	if halfWritten && x != nil { // stored by external id, not by address: the next claim of the pair counts as new
		i.pair(x, k).times = noTimes
	}
}

// Observe adds the claim of an entity and fills in its UserID. The caller fills in the rest, and holds the lock.
func (b *Batch) Observe(entity int, c *Claim) Change {
	e := &b.entities[entity]
	switch {
	case e.externalID != nil:
		c.UserID = e.externalID.id
	case e.address != nil:
		c.UserID = e.address.id
	}
	return b.identities.observe(e.externalID, e.address, e.addressKey, c)
}

// Resolve returns the user of an entity; known is false if it has none. All entities are observed before. The caller
// holds the lock.
func (b *Batch) Resolve(entity int) (id ID, known bool) {
	e := &b.entities[entity]
	return b.identities.resolve(e.externalID, e.address)
}
