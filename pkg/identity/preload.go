package identity

// Preload loads all stored claims. A scan costs ClickHouse a thirtieth of a look-up for each. After it the cache is
// complete, because the claims of other loaders are merged: nothing is looked up any more, and what is not in the cache
// is unknown. Batches may be in progress meanwhile; they load what they look up themselves.
type Preload struct {
	identities *Identities
	generation int // of the cache when the preload began
}

// Capacity returns how many external ids, and how many addresses, a preload may load.
func (i *Identities) Capacity() int { return 2 * i.generationSize }

// Preload begins a preload. All claims written before must be passed to it, and all later claims of other loaders to
// Merge.
func (i *Identities) Preload() *Preload {
	i.mu.Lock()
	defer i.mu.Unlock()
	return &Preload{i, i.generation}
}

// Addresses loads claims as they are stored by address. All addresses must be loaded before the external ids.
func (p *Preload) Addresses(claims []Claim) {
	i := p.identities
	i.mu.Lock()
	defer i.mu.Unlock()
	for j := range claims {
		c := &claims[j]
		k := hash(c.Email).in(hash(c.Workspace))
		a := i.addresses.get(k)
		if a == nil {
			a = i.putAddress(k, c.Workspace, c.Email)
		}
		if c.ExternalID == nil {
			a.withoutID.observe(c.Explicit, c.Event, c.FirstName)
		}
		hold := holdOf(c.ExternalID != nil, c.Explicit.At, c.Event.At, c.UserID)
		if hold.precedes(&a.hold) {
			a.hold = hold
		}
	}
}

// ExternalIDs loads claims as they are stored by external id.
func (p *Preload) ExternalIDs(claims []Claim) {
	i := p.identities
	i.mu.Lock()
	defer i.mu.Unlock()
	for j := range claims {
		c := &claims[j]
		k := hash(c.ExternalID).in(hash(c.Workspace))
		if i.externalIDs.get(k) == nil {
			i.putExternalID(k, c.UserID)
		}
		i.loadClaim(c)
	}
}

// Complete ends the preload. It returns false, and the cache is not complete, if entries were evicted meanwhile.
func (p *Preload) Complete() bool {
	i := p.identities
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.generation != p.generation {
		return false
	}
	i.addresses.each(func(a *address) { a.loaded = true })
	i.externalIDs.each(func(x *externalID) { x.loaded = true })
	i.complete = true
	return true
}
