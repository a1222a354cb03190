package payload

import (
	"bytes"
	"hash/maphash"
)

// duplicates finds messages of one payload that have the same id. All of them are accepted, and the first becomes the
// event. The loader finds them too, but not for certain if their timestamps differ.
type duplicates struct {
	seed  maphash.Seed
	first map[uint64]int // by the id's hash
}

func (r *duplicates) mark(messages []Message) {
	if r.first == nil {
		r.seed, r.first = maphash.MakeSeed(), map[uint64]int{}
	}
	clear(r.first)
	for i := range messages {
		m := &messages[i]
		if m.Reason != Accepted || m.id == nil {
			continue
		}
		hash := maphash.Bytes(r.seed, m.id)
		if first, seen := r.first[hash]; !seen {
			r.first[hash] = i
		} else {
			m.Duplicate = bytes.Equal(messages[first].id, m.id) // else two ids have one hash, which never happens
		}
	}
}
