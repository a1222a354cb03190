package identity

// MaxPairs bounds the addresses kept for one external id. An external id with so many is a mistake of the sender, like
// "null" or "guest". It is a user then, whoever holds its addresses. So it does not matter which addresses are kept.
const MaxPairs = 64

// externalID is what was observed of an external id. It has no pointers: see cache.
type externalID struct {
	id        ID
	lastBatch uint64 // number of the last batch that asked for it
	pair      pair   // the first pair; most have no other
	extra     uint32 // position of the other pairs in Identities.extras, from 1 on; 0 if there are none
	pairs     uint16 // at most MaxPairs
	batches   uint16 // batches in progress that found it unknown
	loaded    bool   // its stored claims were looked up
	explicit  bool   // an identify or a conversation named it
}

// pair is an external id with an address. The zero key stands for no address.
type pair struct {
	address key
	times
}

// times are the times of the first observations.
type times struct{ explicitAt, eventAt, nameAt int64 }

var noTimes = times{Never, Never, Never}

// extraPairs are the pairs of an external id after the first.
type extraPairs struct {
	pairs    []pair
	overflow *pair // the sum of all pairs beyond MaxPairs
}

// address is what was observed of an address.
type address struct {
	id        ID // of the user who has only this address
	lastBatch uint64
	withoutID times // of claims without an external id
	hold      Hold
	loaded    bool
}

// observe adds times and returns whether any is earlier than before.
func (t *times) observe(explicit, event, name Timestamped) (isNew bool) {
	isNew = setEarlier(&t.explicitAt, explicit.At)
	isNew = setEarlier(&t.eventAt, event.At) || isNew
	if name.Text != nil {
		isNew = setEarlier(&t.nameAt, name.At) || isNew
	}
	return isNew
}

func setEarlier(at *int64, other int64) bool {
	if other < *at {
		*at = other
		return true
	}
	return false
}

// unknown returns whether an external id has no claim.
func (x *externalID) unknown() bool { return x.pairs == 0 }

// isFinal returns whether an external id is a user for ever, whoever holds its addresses.
func (x *externalID) isFinal() bool { return x.explicit || x.pairs == MaxPairs }

// pair returns the pair of an external id with an address. It is added if there is room, else the overflow is returned.
func (i *Identities) pair(x *externalID, address key) *pair {
	if x.pairs == 0 {
		x.pairs, x.pair = 1, pair{address, noTimes}
	}
	if x.pair.address == address {
		return &x.pair
	}
	extra := i.extraPairs(x)
	for j := range extra.pairs {
		if extra.pairs[j].address == address {
			return &extra.pairs[j]
		}
	}
	if x.pairs < MaxPairs {
		x.pairs++
		extra.pairs = append(extra.pairs, pair{address, noTimes})
		return &extra.pairs[len(extra.pairs)-1]
	}
	if extra.overflow == nil {
		extra.overflow = &pair{key{}, noTimes}
	}
	return extra.overflow
}

// extraPairs returns the extra pairs of an external id, and makes room for them if it has none.
func (i *Identities) extraPairs(x *externalID) *extraPairs {
	if x.extra == 0 {
		if len(i.freeExtras) == 0 {
			i.extras = append(i.extras, nil)
			i.freeExtras = append(i.freeExtras, uint32(len(i.extras)))
		}
		x.extra = i.freeExtras[len(i.freeExtras)-1]
		i.freeExtras = i.freeExtras[:len(i.freeExtras)-1]
		i.extras[x.extra-1] = &extraPairs{}
	}
	return i.extras[x.extra-1]
}

func (i *Identities) freeExtra(x *externalID) {
	if x.extra != 0 {
		i.extras[x.extra-1] = nil
		i.freeExtras = append(i.freeExtras, x.extra)
	}
}

// anyPair returns whether is returns true for a pair of an external id, apart from the overflow.
func (i *Identities) anyPair(x *externalID, is func(*pair) bool) bool {
	if x.pairs > 0 && is(&x.pair) {
		return true
	}
	if x.extra == 0 {
		return false
	}
	extra := i.extras[x.extra-1].pairs
	for j := range extra {
		if is(&extra[j]) {
			return true
		}
	}
	return false
}

func (i *Identities) putExternalID(k key, id ID) *externalID {
	x := i.externalIDs.put(k)
	x.id, x.loaded = id, i.complete
	return x
}

func (i *Identities) putAddress(k key, workspace, email []byte) *address {
	a := i.addresses.put(k)
	*a = address{
		id: AddressID(workspace, email), loaded: i.complete, withoutID: noTimes, hold: Hold{Strength: Unclaimed},
	}
	return a
}
