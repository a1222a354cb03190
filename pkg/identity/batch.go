package identity

import "context"

// Batch is a block's way: its subjects are added, what is missing of them is looked up, then each is learnt
// from, then each is resolved, and when the block is in its table the flight ends. One goroutine uses it.
//
// Who was resolved in the air may be wrong by the time of landing, if another flight has learnt more. What
// follows from news is worked into the rows that have landed; so that none slips through between, whoever does
// that waits for the flights that had begun.
type Batch struct {
	identities *Identities
	number     uint64 // not its address: what has been seen must not keep it in memory
	generation int    // the turn in which it did
	entities   []entity
	names      []byte // folded addresses
	scopeName  string
	scope      key

	externalIDs, addresses []Name
	unknown                []unknownID
}

// unknownID is somebody of whom nothing had been said. Most visitors stay that, so where all others are known, they are
// not kept.
type unknownID struct {
	key        key
	externalID *externalID
}

type entity struct {
	externalID *externalID
	address    *address
	addressKey key
}

// Name is an external id or an address in a workspace.
type Name struct{ Workspace, Name []byte }

// AddressState is what is known of an address: who holds it, and what was said of it alone.
type AddressState struct {
	Workspace, Email            []byte
	Hold                        Hold
	ExplicitAt, EventAt, NameAt int64 // Never where nothing was said
}

// BeginBatch starts a flight.
func (i *Identities) BeginBatch() *Batch {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.evict()
	i.batchCount++
	f := &Batch{identities: i, scope: hash(nil), number: i.batchCount, generation: i.generation}
	i.batches[f] = make(chan struct{})
	return f
}

// Complete ends the flight: its block is in the table, or never will be.
func (f *Batch) Complete() {
	f.identities.mu.Lock()
	defer f.identities.mu.Unlock()
	if ended, flying := f.identities.batches[f]; flying {
		close(ended)
		delete(f.identities.batches, f)
	}
	for _, s := range f.unknown {
		s.externalID.batches--
		if s.externalID.batches == 0 && s.externalID.unknown() && f.identities.complete {
			f.identities.externalIDs.remove(s.key)
		}
	}
	f.unknown = nil
}

// AwaitBatches waits for the flights that have begun to end.
func (i *Identities) AwaitBatches(ctx context.Context) error {
	i.mu.Lock()
	var all []<-chan struct{}
	for _, ended := range i.batches {
		all = append(all, ended)
	}
	i.mu.Unlock()
	for _, ended := range all {
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Lock is held while subjects are added, or learnt from and resolved: of many at once, for each alone it would
// cost more than what it guards.
func (i *Identities) Lock() { i.mu.Lock() }

// Unlock ends Lock.
func (i *Identities) Unlock() { i.mu.Unlock() }

// Grow makes room for so many subjects.
func (f *Batch) Grow(n int) { f.entities = make([]entity, 0, n) }

// Add adds a subject: an external id and an address, either of which may be nil. They are viewed until the
// flight's end. The caller holds the lock.
func (f *Batch) Add(workspace, externalID, email []byte) {
	if f.scopeName != string(workspace) {
		f.scopeName, f.scope = string(workspace), hash(workspace)
	}
	i := f.identities
	var s entity
	if externalID != nil {
		k := hash(externalID).in(f.scope)
		if s.externalID = i.externalIDs.get(k); s.externalID == nil {
			s.externalID = i.putExternalID(k, UserID(workspace, externalID))
		}
		if p := s.externalID; p.seenBy != f.number {
			p.seenBy = f.number
			if p.loaded = p.loaded && i.keepAddresses(p); !p.loaded {
				f.externalIDs = append(f.externalIDs, Name{workspace, externalID})
			}
			i.count(p.loaded)
			if p.unknown() {
				p.batches++
				f.unknown = append(f.unknown, unknownID{k, p})
			}
		}
	}
	if email != nil {
		email = f.fold(email)
		s.addressKey = hash(email).in(f.scope)
		if s.address = i.addresses.get(s.addressKey); s.address == nil {
			s.address = i.putAddress(s.addressKey, workspace, email)
		}
		if a := s.address; a.seenBy != f.number {
			a.seenBy = f.number
			if !a.loaded {
				f.addresses = append(f.addresses, Name{workspace, email})
			}
			i.count(a.loaded)
		}
	}
	f.entities = append(f.entities, s)
}

func (i *Identities) count(hit bool) {
	if hit {
		i.hits++
	} else {
		i.misses++
	}
}

func (i *Identities) putExternalID(k key, id ID) *externalID {
	p := i.externalIDs.put(k)
	p.id, p.loaded = id, i.complete
	return p
}

func (i *Identities) putAddress(k key, workspace, email []byte) *address {
	a := i.addresses.put(k)
	*a = address{id: AddressID(workspace, email), loaded: i.complete, withoutID: noTimes, hold: Hold{Strength: Unclaimed}}
	return a
}

// keepAddresses tells whether all addresses of p that decide about it are here, and keeps them here.
func (i *Identities) keepAddresses(p *externalID) bool {
	if p.isFinal() {
		return true
	}
	return !i.anyPair(p, func(one *pair) bool { return one.address != (key{}) && i.addresses.get(one.address) == nil })
}

func (f *Batch) fold(email []byte) []byte {
	email, f.names = Fold(f.names, email)
	return email
}

// Missing is what has to be looked up before anything is learnt: each external id with all its addresses.
func (f *Batch) Missing() (persons, addresses []Name) { return f.externalIDs, f.addresses }

// Load takes up what was looked up: the claims of the external ids, and the state of the addresses, both
// those asked for and those in the claims.
func (f *Batch) Load(claims []Claim, holdings []AddressState) {
	i := f.identities
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, n := range f.externalIDs {
		i.externalIDs.get(hash(n.Name).in(hash(n.Workspace))).loaded = true
	}
	for _, n := range f.addresses {
		i.addresses.get(hash(n.Name).in(hash(n.Workspace))).loaded = true
	}
	for j := range holdings {
		i.loadAddress(&holdings[j])
	}
	for j := range claims {
		i.loadClaim(&claims[j])
	}
	f.externalIDs, f.addresses = nil, nil
}

// loadClaim takes up a claim that was written down by external id. The state of its address is here, or it is not
// wanted.
func (i *Identities) loadClaim(c *Claim) {
	scope := hash(c.Workspace)
	var a *address
	var k key
	if c.Email != nil {
		k = hash(c.Email).in(scope)
		a = i.addresses.get(k)
	}
	p := i.externalIDs.get(hash(c.ExternalID).in(scope))
	hold := holdOf(c.ExternalID != nil, c.Explicit.At, c.Event.At, c.UserID)
	half := a != nil && hold.precedes(&a.hold)
	i.observe(p, a, k, c)
	if half && p != nil { // written down by external id but not by address: the next claim of the pair is news
		i.pair(p, k).times = noTimes
	}
}

func (i *Identities) loadAddress(h *AddressState) {
	k := hash(h.Email).in(hash(h.Workspace))
	a := i.addresses.get(k)
	if a == nil {
		a = i.putAddress(k, h.Workspace, h.Email)
	}
	a.loaded = true
	setEarlier(&a.withoutID.explicitAt, h.ExplicitAt)
	setEarlier(&a.withoutID.eventAt, h.EventAt)
	setEarlier(&a.withoutID.nameAt, h.NameAt)
	if h.Hold.precedes(&a.hold) {
		a.hold = h.Hold
	}
}

// Observe takes what subject j says. The caller holds the lock, and fills in all of the claim but UserID.
func (f *Batch) Observe(j int, c *Claim) Change {
	s := &f.entities[j]
	switch {
	case s.externalID != nil:
		c.UserID = s.externalID.id
	case s.address != nil:
		c.UserID = s.address.id
	}
	return f.identities.observe(s.externalID, s.address, s.addressKey, c)
}

// Resolve is who subject j is. The caller holds the lock. What all subjects say has been learnt by then.
func (f *Batch) Resolve(j int) (id ID, known bool) {
	s := &f.entities[j]
	return f.identities.resolve(s.externalID, s.address)
}
