package dedup

import (
	"math/bits"
	"unsafe"
)

const (
	// The first bits of a fingerprint select its shard. Each shard grows and is swept alone when it is used next, so
	// that no Add waits for more than a 256th of the table.
	shardBits  = 8
	shardCount = 1 << shardBits

	// A shard grows by a fifth when 17 of 20 homes are taken: memory varies between 14.1 and 17 bytes an id. The slots
	// are sorted, so a look-up reads about four of them at that load, whether it finds the id or not.
	maxLoadNum, maxLoadDen = 17, 20
	growthNum, growthDen   = 6, 5
	minHomes               = 16
	// shrinkBelow: a sweep shrinks the shard if it leaves less than one in so many homes taken.
	shrinkBelow = 4
	// tailSlots follow the last home, for ids that are pushed behind it. A tail of 32 overflows in one of 20,000 shards
	// at full load; then it grows.
	tailSlots = 32

	slotBytes = int(unsafe.Sizeof(slot{}))

	// The last byte of a slot's word. The shard's number replaces the bits of the fingerprint that were there.
	taken          = 0x80
	generationMask = maxGenerations - 1
	markMask       = 1<<shardBits - 1
)

// slot is one id: 56 bits of its fingerprint, a mark that the slot is taken, the number of its generation modulo 32,
// and its folded key time. It has three fields of 32 bits, because a field of 64 bits would pad it to 16 bytes.
type slot struct{ high, low, key uint32 }

func (s *slot) word() uint64 { return uint64(s.high)<<32 | uint64(s.low) }

// shard is a table with open addressing whose slots are sorted by fingerprint. The home of an id is its fingerprint
// scaled to the number of homes. An id is in its home, or in the first slot after it that keeps the order. So a look-up
// ends at the first greater fingerprint, and a shard grows or is swept in one pass.
type shard struct {
	slots  []slot
	homes  uint64
	used   int
	oldest uint64 // generation at the last sweep: all ids are of this one or the 31 after it
}

func (s *shard) home(word uint64) int {
	home, _ := bits.Mul64(word, s.homes)
	return int(home)
}

// find returns First, Same or Suspect.
func (s *shard) find(fingerprint uint64, key uint32) Result {
	want, result := fingerprint<<shardBits, First
	for i := s.home(want); i < len(s.slots); i++ {
		word := s.slots[i].word()
		if found := word &^ markMask; word == 0 || found > want {
			break
		} else if found < want {
			continue
		}
		if s.slots[i].key == key {
			return Same
		}
		result = Suspect
	}
	return result
}

// insert adds an id. Ids with the same fingerprint are in any order.
func (s *shard) insert(fingerprint uint64, key uint32, generation uint64) {
	if uint64(s.used)*maxLoadDen >= s.homes*maxLoadNum {
		s.rebuild(max(minHomes, s.homes*growthNum/growthDen))
	}
	s.used++
	word := fingerprint<<shardBits | taken | generation&generationMask
	at := s.home(word)
	for at < len(s.slots) && s.slots[at].word() != 0 && s.slots[at].word()&^markMask < word&^markMask {
		at++
	}
	free := at
	for free < len(s.slots) && s.slots[free].word() != 0 {
		free++
	}
	s.growTail(free)
	copy(s.slots[at+1:free+1], s.slots[at:free])
	s.slots[at] = slot{high: uint32(word >> 32), low: uint32(word), key: key}
}

// growTail makes sure that slot at exists.
func (s *shard) growTail(at int) {
	if at >= len(s.slots) {
		s.slots = append(s.slots, make([]slot, at+tailSlots-len(s.slots))...)
	}
}

// sweep removes the ids of generations before oldest, in place. Ids only move towards their homes.
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
	if s.homes > minHomes && uint64(s.used) < s.homes/shrinkBelow {
		s.rebuild(max(minHomes, s.homes/2))
	}
}

// rebuild moves all ids into a table with another number of homes.
func (s *shard) rebuild(homes uint64) {
	slots, next := s.slots, 0
	s.homes = homes
	s.slots = make([]slot, homes+min(homes/2, tailSlots))
	for i := range slots {
		if slots[i].word() == 0 {
			continue
		}
		next = max(s.home(slots[i].word()), next)
		s.growTail(next)
		s.slots[next] = slots[i]
		next++
	}
}
