package identity

import "context"

// Flight is a block's way: its subjects are added, what is missing of them is looked up, then each is learnt
// from, then each is resolved, and when the block is in its table the flight ends. One goroutine uses it.
//
// Who was resolved in the air may be wrong by the time of landing, if another flight has learnt more. What
// follows from news is worked into the rows that have landed; so that none slips through between, whoever does
// that waits for the flights that had begun.
type Flight struct {
	identities *Identities
	number     uint64 // not its address: what has been seen must not keep it in memory
	began      int    // the turn in which it did
	subjects   []subject
	names      []byte // folded addresses
	scopeName  string
	scope      key

	persons, addresses []Name
	strangers          []stranger
}

// stranger is somebody of whom nothing had been said. Most visitors stay that, so where all others are known, they are
// not kept.
type stranger struct {
	key    key
	person *person
}

type subject struct {
	person     *person
	address    *address
	addressKey key
}

// Name is an external id or an address in a workspace.
type Name struct{ Workspace, Name []byte }

// Holding is what is known of an address: who holds it, and what was said of it alone.
type Holding struct {
	Workspace, Email            []byte
	Hold                        Hold
	ExplicitAt, EventAt, NameAt int64 // Never where nothing was said
}

// Begin starts a flight.
func (i *Identities) Begin() *Flight {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.forget()
	i.begun++
	f := &Flight{identities: i, scope: hash(nil), number: i.begun, began: i.turn}
	i.flights[f] = make(chan struct{})
	return f
}

// End ends the flight: its block is in the table, or never will be.
func (f *Flight) End() {
	f.identities.mu.Lock()
	defer f.identities.mu.Unlock()
	if ended, flying := f.identities.flights[f]; flying {
		close(ended)
		delete(f.identities.flights, f)
	}
	for _, s := range f.strangers {
		s.person.flights--
		if s.person.flights == 0 && s.person.stranger() && f.identities.complete {
			f.identities.persons.remove(s.key)
		}
	}
	f.strangers = nil
}

// Await waits for the flights that have begun to end.
func (i *Identities) Await(ctx context.Context) error {
	i.mu.Lock()
	var all []<-chan struct{}
	for _, ended := range i.flights {
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

// Expect makes room for so many subjects.
func (f *Flight) Expect(n int) { f.subjects = make([]subject, 0, n) }

// Add adds a subject: an external id and an address, either of which may be nil. They are viewed until the
// flight's end. The caller holds the lock.
func (f *Flight) Add(workspace, externalID, email []byte) {
	if f.scopeName != string(workspace) {
		f.scopeName, f.scope = string(workspace), hash(workspace)
	}
	i := f.identities
	var s subject
	if externalID != nil {
		k := hash(externalID).in(f.scope)
		if s.person = i.persons.get(k); s.person == nil {
			s.person = i.putPerson(k, UserID(workspace, externalID))
		}
		if p := s.person; p.seenBy != f.number {
			p.seenBy = f.number
			if p.loaded = p.loaded && i.holdAddresses(p); !p.loaded {
				f.persons = append(f.persons, Name{workspace, externalID})
			}
			i.count(p.loaded)
			if p.stranger() {
				p.flights++
				f.strangers = append(f.strangers, stranger{k, p})
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
	f.subjects = append(f.subjects, s)
}

func (i *Identities) count(hit bool) {
	if hit {
		i.hits++
	} else {
		i.misses++
	}
}

func (i *Identities) putPerson(k key, id ID) *person {
	p := i.persons.put(k)
	p.id, p.loaded = id, i.complete
	return p
}

func (i *Identities) putAddress(k key, workspace, email []byte) *address {
	a := i.addresses.put(k)
	*a = address{id: AddressID(workspace, email), loaded: i.complete, alone: noTimes, hold: Hold{Strength: Unclaimed}}
	return a
}

// holdAddresses tells whether all addresses of p that decide about it are here, and keeps them here.
func (i *Identities) holdAddresses(p *person) bool {
	if p.decided() {
		return true
	}
	return !i.anyPair(p, func(one *pair) bool { return one.address != (key{}) && i.addresses.get(one.address) == nil })
}

func (f *Flight) fold(email []byte) []byte {
	email, f.names = Fold(f.names, email)
	return email
}

// Missing is what has to be looked up before anything is learnt: each external id with all its addresses.
func (f *Flight) Missing() (persons, addresses []Name) { return f.persons, f.addresses }

// Found takes up what was looked up: the claims of the external ids, and the state of the addresses, both
// those asked for and those in the claims.
func (f *Flight) Found(claims []Claim, holdings []Holding) {
	i := f.identities
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, n := range f.persons {
		i.persons.get(hash(n.Name).in(hash(n.Workspace))).loaded = true
	}
	for _, n := range f.addresses {
		i.addresses.get(hash(n.Name).in(hash(n.Workspace))).loaded = true
	}
	for j := range holdings {
		i.found(&holdings[j])
	}
	for j := range claims {
		i.foundClaim(&claims[j])
	}
	f.persons, f.addresses = nil, nil
}

// foundClaim takes up a claim that was written down by external id. The state of its address is here, or it is not
// wanted.
func (i *Identities) foundClaim(c *Claim) {
	scope := hash(c.Workspace)
	var a *address
	var k key
	if c.Email != nil {
		k = hash(c.Email).in(scope)
		a = i.addresses.get(k)
	}
	p := i.persons.get(hash(c.ExternalID).in(scope))
	hold := holdOf(c.ExternalID != nil, c.Explicit.At, c.Event.At, c.UserID)
	half := a != nil && hold.before(&a.hold)
	i.learn(p, a, k, c)
	if half && p != nil { // written down by external id but not by address: the next claim of the pair is news
		i.pair(p, k).times = noTimes
	}
}

func (i *Identities) found(h *Holding) {
	k := hash(h.Email).in(hash(h.Workspace))
	a := i.addresses.get(k)
	if a == nil {
		a = i.putAddress(k, h.Workspace, h.Email)
	}
	a.loaded = true
	earlier(&a.alone.explicitAt, h.ExplicitAt)
	earlier(&a.alone.eventAt, h.EventAt)
	earlier(&a.alone.nameAt, h.NameAt)
	if h.Hold.before(&a.hold) {
		a.hold = h.Hold
	}
}

// Learn takes what subject j says. The caller holds the lock, and fills in all of the claim but UserID.
func (f *Flight) Learn(j int, c *Claim) Change {
	s := &f.subjects[j]
	switch {
	case s.person != nil:
		c.UserID = s.person.id
	case s.address != nil:
		c.UserID = s.address.id
	}
	return f.identities.learn(s.person, s.address, s.addressKey, c)
}

// Resolve is who subject j is. The caller holds the lock. What all subjects say has been learnt by then.
func (f *Flight) Resolve(j int) (id ID, known bool) {
	s := &f.subjects[j]
	return f.identities.resolve(s.person, s.address)
}
