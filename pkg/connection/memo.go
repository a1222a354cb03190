package connection

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"sync/atomic"
)

// memo is a proof that was found good: for this generation, this keyed hash of token and secret. There
// can be one such pair per connection at a time, so one memo each is enough.
type memo struct {
	generation uint64
	mac        [32]byte
}

func (m *memo) matches(c claim) bool {
	return m.generation == c.state.connection.Generation && subtle.ConstantTimeCompare(m.mac[:], c.mac[:]) == 1
}

const memoBytes = 8 + 32

func (m *memo) encode() []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, memoBytes), m.generation), m.mac[:]...)
}

// decodeMemo takes anything: one that is none of ours matches nothing.
func decodeMemo(b []byte) (m memo) {
	if len(b) == memoBytes {
		m.generation = binary.BigEndian.Uint64(b)
		copy(m.mac[:], b[8:])
	}
	return m
}

// MemoStore shares proofs between processes. It cannot make a wrong token pass: the hashes are keyed.
// Both calls must end when ctx does.
type MemoStore interface {
	// Get returns nil without an error if there is none.
	Get(ctx context.Context, connectionID string) ([]byte, error)
	Set(ctx context.Context, connectionID string, memo []byte) error
}

// refusedSlots bounds how many refusals are remembered: 40 bytes each.
const refusedSlots = 4096

// refused remembers the claims that were found wrong, so that a sender that goes on with a URL rotated
// away costs no scrypt each time. A claim has one slot and the latest stays: nothing grows, and at
// worst scrypt runs again.
type refused struct {
	slots [refusedSlots]atomic.Pointer[[32]byte]
}

func (r *refused) slot(c claim) *atomic.Pointer[[32]byte] {
	return &r.slots[binary.BigEndian.Uint32(c.mac[:])%refusedSlots]
}

func (r *refused) add(c claim) {
	mac := c.mac
	r.slot(c).Store(&mac)
}

func (r *refused) has(c claim) bool {
	mac := r.slot(c).Load()
	return mac != nil && *mac == c.mac
}
