package identity

// Preload takes up what has ever been written down, all of it: a scan costs a thirtieth of what a question for each
// does. From then on the identities are complete, for what others write is heard of, and nobody has to be looked up:
// who is not here is a stranger. Flights go on meanwhile, and learn from what they look up themselves.
type Preload struct {
	identities *Identities
	generation int
}

// Capacity is how many external ids, and addresses, can be preloaded.
func (i *Identities) Capacity() int { return 2 * i.generationSize }

// Preload begins one. All that was written down before it begins must be passed to it, and what others write after that
// must be passed to Merge.
func (i *Identities) Preload() *Preload {
	i.mu.Lock()
	defer i.mu.Unlock()
	return &Preload{i, i.generation}
}

// Addresses takes up claims as they were written down by address. All of them come before those of Persons.
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
		if hold := holdOf(c.ExternalID != nil, c.Explicit.At, c.Event.At, c.UserID); hold.precedes(&a.hold) {
			a.hold = hold
		}
	}
}

// ExternalIDs takes up claims of external ids, as they were written down by those.
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

// Complete tells that all claims have been passed. If some have been forgotten meanwhile, the identities are not
// complete.
func (p *Preload) Complete() (complete bool) {
	i := p.identities
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.generation != p.generation {
		return false
	}
	i.addresses.each(func(a *address) { a.loaded = true })
	i.externalIDs.each(func(p *externalID) { p.loaded = true })
	i.complete = true
	return true
}
