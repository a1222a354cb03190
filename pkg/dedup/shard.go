package dedup

import (
	"math/bits"
	"unsafe"
)

const (
	// shardBits: the table is cut by the fingerprint's first bits, and each part grows and is swept alone
	// when it is next met, so that no Add waits for more than a 256th of the table.
	shardBits  = 8
	shardCount = 1 << shardBits

	// A shard grows by a fifth when 17 of 20 homes are taken: memory swings between 14.1 and 17 bytes an id.
	// Sorted, a look-up reads about four slots at that load, whether it finds the id or not.
	maxLoadNum, maxLoadDen = 17, 20
	growthNum, growthDen   = 6, 5
	minHomes               = 16
	// sparse: a sweep that leaves less than this part of the homes taken shrinks the shard.
	sparse = 4
	// tailSlots follow the last home, for the ids that its neighbours push on. A tail of 32 overflows once in
	// 20,000 shards at full load; it is then lengthened.
	tailSlots = 32

	slotBytes = int(unsafe.Sizeof(slot{}))

	// The last byte of a slot's word, which the shard's number makes free.
	taken          = 0x80
	generationMask = maxGenerations - 1
	noteMask       = 1<<shardBits - 1
)

// slot is one id: 56 bits of its fingerprint, a mark that the slot is taken, its generation's number modulo
// 32, and the fingerprint of its key time. Three halves, as a whole word would pad it to 16 bytes.
type slot struct{ high, low, key uint32 }

func (s *slot) word() uint64 { return uint64(s.high)<<32 | uint64(s.low) }

// shard is an open-addressed table whose slots are sorted by fingerprint: a home is the fingerprint
// scaled to the number of homes, and an id stands at its home or, if that is taken, as soon after it as
// the order allows. So a look-up ends at the first greater fingerprint, and growing and sweeping are one
// pass from front to back.
type shard struct {
	slots  []slot
	homes  uint64
	used   int
	oldest uint64 // the oldest generation when it was last swept: all its ids are of this one or the 31 after it
}

func (s *shard) home(word uint64) int {
	home, _ := bits.Mul64(word, s.homes)
	return int(home)
}

// find answers First, Same or Suspect.
func (s *shard) find(fingerprint uint64, key uint32) Verdict {
	want, verdict := fingerprint<<shardBits, First
	for i := s.home(want); i < len(s.slots); i++ {
		word := s.slots[i].word()
		if found := word &^ noteMask; word == 0 || found > want {
			break
		} else if found < want {
			continue
		}
		if s.slots[i].key == key {
			return Same
		}
		verdict = Suspect
	}
	return verdict
}

// insert notes an id; the order of those with the same fingerprint means nothing.
func (s *shard) insert(fingerprint uint64, key uint32, generation uint64) {
	if uint64(s.used)*maxLoadDen >= s.homes*maxLoadNum {
		s.rebuild(max(minHomes, s.homes*growthNum/growthDen))
	}
	s.used++
	word := fingerprint<<shardBits | taken | generation&generationMask
	at := s.home(word)
	for at < len(s.slots) && s.slots[at].word() != 0 && s.slots[at].word()&^noteMask < word&^noteMask {
		at++
	}
	free := at
	for free < len(s.slots) && s.slots[free].word() != 0 {
		free++
	}
	s.lengthen(free)
	copy(s.slots[at+1:free+1], s.slots[at:free])
	s.slots[at] = slot{high: uint32(word >> 32), low: uint32(word), key: key}
}

// lengthen makes sure that a slot exists which the ids before it have pushed out of the table.
func (s *shard) lengthen(at int) {
	if at >= len(s.slots) {
		s.slots = append(s.slots, make([]slot, at+tailSlots-len(s.slots))...)
	}
}

// sweep removes, in place, the ids of generations before the oldest. No id moves but towards its home.
func (s *shard) sweep(oldest uint64) {
	was := s.oldest
	s.oldest = oldest
	slots, next := s.slots, 0
	s.used = 0
	for i := range slots {
		moved := slots[i]
		if moved.word() == 0 {
			continue
		}
		slots[i] = slot{}
		age := (uint64(moved.low) - was) & generationMask
		if was+age < oldest {
			continue
		}
		next = max(s.home(moved.word()), next)
		slots[next] = moved
		next++
		s.used++
	}
	if s.homes > minHomes && uint64(s.used) < s.homes/sparse {
		s.rebuild(max(minHomes, s.homes/2))
	}
}

// rebuild moves all ids into a table of another size.
func (s *shard) rebuild(homes uint64) {
	slots, next := s.slots, 0
	s.homes = homes
	s.slots = make([]slot, homes+min(homes/2, tailSlots))
	for i := range slots {
		if slots[i].word() == 0 {
			continue
		}
		next = max(s.home(slots[i].word()), next)
		s.lengthen(next)
		s.slots[next] = slots[i]
		next++
	}
}
