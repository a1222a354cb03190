package connection

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"sync/atomic"
)

// proof states that a token and secret, given by their keyed hash, were valid for a generation of a connection. A
// connection has one valid pair at a time, so one proof per connection is enough.
type proof struct {
	generation uint64
	mac        [32]byte
}

func (p *proof) matches(c presented) bool {
	return p.generation == c.state.connection.Generation && subtle.ConstantTimeCompare(p.mac[:], c.mac[:]) == 1
}

const proofBytes = 8 + 32

func (p *proof) encode() []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, proofBytes), p.generation), p.mac[:]...)
}

// decodeProof accepts any bytes. Bytes that are not a proof decode to one that matches nothing.
func decodeProof(b []byte) (p proof) {
	if len(b) == proofBytes {
		p.generation = binary.BigEndian.Uint64(b)
		copy(p.mac[:], b[8:])
	}
	return p
}

// ProofCache shares proofs between processes. A forged entry cannot make a wrong token pass, because the hashes are
// keyed. Both calls must return when ctx ends.
type ProofCache interface {
	// Get returns nil without an error if there is none.
	Get(ctx context.Context, connectionID string) ([]byte, error)
	Set(ctx context.Context, connectionID string, proof []byte) error
}

// rejectionSlots is the size of the cache of rejections, 40 bytes each.
const rejectionSlots = 4096

// rejections caches credentials that were found wrong, so that a sender with a rotated URL does not cost scrypt for
// each request. Each slot holds the latest rejection; an evicted one costs another run of scrypt.
type rejections struct {
	slots [rejectionSlots]atomic.Pointer[[32]byte]
}

func (r *rejections) slot(c presented) *atomic.Pointer[[32]byte] {
	return &r.slots[binary.BigEndian.Uint32(c.mac[:])%rejectionSlots]
}

func (r *rejections) add(c presented) {
	mac := c.mac
	r.slot(c).Store(&mac)
}

func (r *rejections) has(c presented) bool {
	mac := r.slot(c).Load()
	return mac != nil && *mac == c.mac
}
