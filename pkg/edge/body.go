package edge

import (
	"errors"
	"io"
	"sync"
)

// Why a body is not read.
var (
	errBodyTooLarge = errors.New("body over the limit")
	errOverloaded   = errors.New("too many bytes in flight")
	errTruncated    = errors.New("body ended early")
)

// body is a request's bytes in memory of their own, for records refer to them after the request is
// answered.
type body struct {
	bytes []byte
	held  int64 // what is counted as in flight
	admit *admission
}

var bodies = sync.Pool{New: func() any { return new(body) }}

const (
	firstReadBytes  = 64 << 10 // what is made room for before a byte has come, whatever length is declared
	pooledBodyBytes = 1 << 20  // a larger one goes back to the collector
)

func acquireBody(admit *admission) *body {
	b := bodies.Get().(*body)
	b.admit = admit
	return b
}

// release gives the memory back. Nothing may refer to it any more. On nil it does nothing.
func (b *body) release() {
	if b == nil {
		return
	}
	b.admit.give(b.held)
	b.held = 0
	if cap(b.bytes) > pooledBodyBytes {
		b.bytes = nil
	}
	b.bytes = b.bytes[:0]
	bodies.Put(b)
}

// read takes everything from r, at most limit bytes. declared is the length in the header, or negative.
// Memory is taken, and counted as held, as bytes come, at most twice what has come: a declared length
// costs nothing, neither us nor the other senders.
func (b *body) read(r io.Reader, declared, limit int) error {
	first := min(max(declared, 0), firstReadBytes)
	switch {
	case !b.hold(min(first, limit)):
		return errOverloaded
	case declared > limit:
		return errBodyTooLarge
	case cap(b.bytes) < first:
		b.bytes = make([]byte, 0, first)
	}
	for {
		if len(b.bytes) == declared {
			return nil
		}
		if len(b.bytes) == cap(b.bytes) {
			b.grow(declared, limit)
		}
		n, err := r.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case !b.hold(min(len(b.bytes), limit)):
			return errOverloaded
		case len(b.bytes) > limit:
			return errBodyTooLarge
		case err == io.EOF && len(b.bytes) < declared:
			return errTruncated
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

func (b *body) grow(declared, limit int) {
	size := min(max(2*cap(b.bytes), 4096), limit+1) // one more shows that there is more
	if declared >= 0 {
		size = min(size, declared)
	}
	b.bytes = append(make([]byte, 0, size), b.bytes...)
}

// hold counts n bytes in all as in flight.
func (b *body) hold(n int) bool {
	more := int64(n) - b.held
	if more <= 0 {
		return true
	}
	if !b.admit.take(more) {
		return false
	}
	b.held += more
	return true
}
