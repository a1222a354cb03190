package identity

import "sync"

// Identities knows external ids and addresses. It is shared by all lanes of a loader: users are of a
// workspace, and its products may be anywhere.
type Identities struct {
	mu             sync.Mutex
	generationSize int // entries of either kind after which the older half of the cache may be forgotten
	externalIDs    cache[externalID]
	addresses      cache[address]
	organizations  cache[organization]
	conversations  cache[struct{}] // those met

	extras     []*extraPairs
	freeExtras []uint32

	complete bool // who is not here has never been heard of

	generation int                      // how often something was forgotten
	batchCount uint64                   // flights, ever
	batches    map[*Batch]chan struct{} // those under way; closed when they end

	hits, misses uint64
}

// externalID is what has been said of an external id. It holds no pointers: see cache.
type externalID struct {
	id       ID
	seenBy   uint64 // the number of the last flight that has asked for what is missing of it
	pair     pair   // the first; most have no other
	extra    uint32 // where in rests the others are, from 1 on; 0 if there are none
	pairs    uint16 // MaxPairs at most
	batches  uint16 // that have met it as a stranger
	loaded   bool
	explicit bool
}

// pair is an external id beside an address, or with none (the zero key).
type pair struct {
	address key
	times
}

// times are those of the first mentions.
type times struct{ explicitAt, eventAt, nameAt int64 }

var noTimes = times{Never, Never, Never}

// extraPairs are the pairs of a person that has several.
type extraPairs struct {
	pairs    []pair // without the first
	overflow *pair  // the sum of what was said of it beside all other addresses
}

// address is what has been said of an address.
type address struct {
	id        ID // of the user who is known by it alone
	seenBy    uint64
	withoutID times
	hold      Hold
	loaded    bool
}

// MaxPairs bounds the addresses kept for one external id. One that comes with as many is no person's, but a
// mistake of the sender's ("null", "guest"). It counts as a user's, whoever holds the addresses: so it does not
// matter which of them are kept.
const MaxPairs = 64

// NewIdentities makes a cache of about size external ids and as many addresses.
func NewIdentities(size int) *Identities {
	return &Identities{generationSize: max(size/2, 1), externalIDs: newCache[externalID](), addresses: newCache[address](), organizations: newCache[organization](), conversations: newCache[struct{}](), batches: map[*Batch]chan struct{}{}}
}

// Stats is how the cache fares.
type Stats struct {
	Entries      int
	Hits, Misses uint64
}

// Stats tells how the cache fares.
func (i *Identities) Stats() Stats {
	i.mu.Lock()
	defer i.mu.Unlock()
	return Stats{i.externalIDs.len + i.addresses.len, i.hits, i.misses}
}

// evict makes room if it may. What a flight has used stays until it has landed: it may know what is not
// written down yet. An entry that was used since the last turn but one is here still, so it is enough that
// all flights began after the last.
func (i *Identities) evict() {
	for f := range i.batches {
		if f.generation < i.generation {
			return
		}
	}
	room := i.generationSize
	if i.complete {
		room *= 2 // there is nobody old
	}
	if i.externalIDs.recent < room && i.addresses.recent < room {
		return
	}
	i.generation++
	i.complete = false
	i.externalIDs.nextGeneration(i.freeExtra)
	i.addresses.nextGeneration(nil)
}

// Change is what a claim changes.
type Change struct {
	New          bool // it says what has not been said
	Reassigned   bool // somebody may be somebody else by it: whoever has its external id or its address, and
	PreviousUser ID   // who held the address, if anybody did
}

// Merge takes up what another loader has learnt. What is not here is looked up when it is needed, unless
// all are here. Whom stored events
// are about may change by it, whatever is known here: what was looked up meanwhile has changed nothing of them.
func (i *Identities) Merge(c *Claim) {
	i.mu.Lock()
	defer i.mu.Unlock()
	scope := hash(c.Workspace)
	var p *externalID
	var a *address
	var addressKey key
	if c.ExternalID != nil {
		k := hash(c.ExternalID).in(scope)
		if p = i.externalIDs.peek(k); p == nil && i.complete {
			p = i.putExternalID(k, c.UserID)
		}
	}
	if c.Email != nil {
		addressKey = hash(c.Email).in(scope)
		if a = i.addresses.peek(addressKey); a == nil && i.complete {
			a = i.putAddress(addressKey, c.Workspace, c.Email)
		}
	}
	i.observe(p, a, addressKey, c)
}

// observe adds a claim to what is known of its external id and its address; either may not be here (nil).
func (i *Identities) observe(p *externalID, a *address, addressKey key, c *Claim) (change Change) {
	switch {
	case p != nil:
		undecided := !p.isFinal()
		change.New = i.pair(p, addressKey).observe(c.Explicit, c.Event, c.FirstName)
		p.explicit = p.explicit || c.Explicit.At != Never
		if undecided && p.isFinal() {
			change.New, change.Reassigned = true, true
		}
	case a != nil && c.ExternalID == nil:
		change.New = a.withoutID.observe(c.Explicit, c.Event, c.FirstName)
	}
	if a == nil {
		return change
	}
	// The least hold of a pair's claims is the hold of the pair, so each can be weighed alone.
	hold := holdOf(c.ExternalID != nil, c.Explicit.At, c.Event.At, c.UserID)
	if !hold.precedes(&a.hold) {
		return change
	}
	change.New = true
	if a.hold.UserID != hold.UserID {
		change.PreviousUser = a.hold.UserID
		// An address that nobody held is on no event before this one; but the external id may be.
		change.Reassigned = change.Reassigned || a.hold.Strength != Unclaimed || p != nil && !i.isUser(p)
	}
	a.hold = hold
	return change
}

// observe takes up when something was said, and tells whether any of it is earlier than what was known.
func (t *times) observe(explicit, event, name Timestamped) (news bool) {
	news = setEarlier(&t.explicitAt, explicit.At)
	news = setEarlier(&t.eventAt, event.At) || news
	if name.Text != nil {
		news = setEarlier(&t.nameAt, name.At) || news
	}
	return news
}

func setEarlier(at *int64, than int64) bool {
	if than < *at {
		*at = than
		return true
	}
	return false
}

// pair is what is known of a person beside an address.
func (i *Identities) pair(p *externalID, address key) *pair {
	if p.pairs == 0 {
		p.pairs, p.pair = 1, pair{address, noTimes}
	}
	if p.pair.address == address {
		return &p.pair
	}
	more := i.extraPairs(p)
	for j := range more.pairs {
		if more.pairs[j].address == address {
			return &more.pairs[j]
		}
	}
	if p.pairs < MaxPairs {
		p.pairs++
		more.pairs = append(more.pairs, pair{address, noTimes})
		return &more.pairs[len(more.pairs)-1]
	}
	if more.overflow == nil {
		more.overflow = &pair{key{}, noTimes}
	}
	return more.overflow
}

// extraPairs are a person's other pairs, which may be none yet.
func (i *Identities) extraPairs(p *externalID) *extraPairs {
	if p.extra == 0 {
		if len(i.freeExtras) == 0 {
			i.extras = append(i.extras, nil)
			i.freeExtras = append(i.freeExtras, uint32(len(i.extras)))
		}
		p.extra = i.freeExtras[len(i.freeExtras)-1]
		i.freeExtras = i.freeExtras[:len(i.freeExtras)-1]
		i.extras[p.extra-1] = &extraPairs{}
	}
	return i.extras[p.extra-1]
}

func (i *Identities) freeExtra(p *externalID) {
	if p.extra != 0 {
		i.extras[p.extra-1] = nil
		i.freeExtras = append(i.freeExtras, p.extra)
	}
}

// anyPair tells whether one of a person's pairs is as asked for.
func (i *Identities) anyPair(p *externalID, is func(*pair) bool) bool {
	if p.pairs > 0 && is(&p.pair) {
		return true
	}
	if p.extra == 0 {
		return false
	}
	more := i.extras[p.extra-1].pairs
	for j := range more {
		if is(&more[j]) {
			return true
		}
	}
	return false
}

// unknown tells whether nothing has been said of it.
func (p *externalID) unknown() bool { return p.pairs == 0 }

// isFinal tells whether an external id is a user's for good, whoever holds its addresses.
func (p *externalID) isFinal() bool { return p.explicit || p.pairs == MaxPairs }

// isUser tells whether an external id is a user's: somebody named it on purpose, or an address is its own, or it
// came with too many.
func (i *Identities) isUser(p *externalID) bool {
	if p.isFinal() {
		return true
	}
	return i.anyPair(p, func(one *pair) bool {
		a := i.addresses.peek(one.address)
		return a != nil && a.hold.UserID == p.id
	})
}

// resolve is who it is: by external id, then by address.
func (i *Identities) resolve(p *externalID, a *address) (id ID, ok bool) {
	if p != nil && (a != nil && a.hold.UserID == p.id || i.isUser(p)) {
		return p.id, true
	}
	if a != nil && a.hold.Strength != Unclaimed {
		return a.hold.UserID, true
	}
	return ID{}, false
}
