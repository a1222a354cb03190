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

// release gives the memory back. Nothing may refer to it any more.
func (b *body) release() {
	b.admit.give(b.held)
	b.held = 0
	if cap(b.bytes) > pooledBodyBytes {
		b.bytes = nil
	}
	b.bytes = b.bytes[:0]
	bodies.Put(b)
}

// read takes everything from r, at most limit bytes. declared is the length in the header, or negative.
// Memory is taken as bytes come, at most twice what has come: a declared length costs nothing.
func (b *body) read(r io.Reader, declared, limit int) error {
	if declared > limit {
		return errBodyTooLarge
	}
	if declared >= 0 && !b.hold(int64(declared)) {
		return errOverloaded
	}
	if want := min(max(declared, 0), firstReadBytes); cap(b.bytes) < want {
		b.bytes = make([]byte, 0, want)
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
		case len(b.bytes) > limit:
			return errBodyTooLarge
		case declared < 0 && !b.hold(int64(len(b.bytes))):
			return errOverloaded
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
func (b *body) hold(n int64) bool {
	if more := n - b.held; more > 0 {
		if !b.admit.take(more) {
			return false
		}
		b.held = n
	}
	return true
}
