package edge

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// Reasons for which a body is not read.
var (
	errBodyTooLarge = errors.New("body over the limit")
	errOverloaded   = errors.New("too many bytes in flight")
	errTruncated    = errors.New("body ended early")
)

// body reads and decompresses the request's body. The caller releases it.
func (h *handler) body(ctx *fasthttp.RequestCtx) (*body, *refusal) {
	b := acquireBody(h.admit)
	owned := b
	defer func() { owned.release() }() // nil once the caller owns it
	if err := b.read(bodyStream(ctx), ctx.Request.Header.ContentLength(), h.config.MaxBodyBytes); err != nil {
		return nil, bodyRefusal(err)
	}
	h.metrics.bytes.Add(float64(len(b.bytes)))
	encoding, err := encodingOf(ctx.Request.Header.PeekAll(fasthttp.HeaderContentEncoding))
	if err != nil {
		return nil, unsupportedEncoding
	}
	if encoding != "" {
		return h.decompress(encoding, b.bytes)
	}
	owned = nil
	return b, nil
}

// decompressWait is how long a body waits for a free decompressor.
const decompressWait = 5 * time.Second

func (h *handler) decompress(encoding string, packed []byte) (*body, *refusal) {
	select {
	case h.decompressing <- struct{}{}:
		defer func() { <-h.decompressing }()
	case <-time.After(decompressWait):
		return nil, overloaded
	}
	b := acquireBody(h.admit)
	owned := b
	defer func() { owned.release() }() // nil once the caller owns it
	if err := decompress(encoding, packed, b, h.config.MaxBodyBytes); err != nil {
		return nil, bodyRefusal(err)
	}
	owned = nil
	return b, nil
}

func bodyRefusal(err error) *refusal {
	var timeout net.Error
	switch {
	case errors.Is(err, errBodyTooLarge):
		return bodyTooLarge
	case errors.Is(err, errOverloaded):
		return overloaded
	case errors.Is(err, errInvalidEncoding):
		return invalidEncoding
	case errors.As(err, &timeout) && timeout.Timeout():
		return requestTimeout
	}
	return bodyTruncated
}

// bodyStream returns the body's stream, an empty one for a request without a body.
func bodyStream(ctx *fasthttp.RequestCtx) io.Reader {
	if r := ctx.RequestBodyStream(); r != nil {
		return r
	}
	return eof{}
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// body is a request's bytes in memory of its own. Records refer to it until the last acknowledgement, which may come
// after the answer.
type body struct {
	bytes    []byte
	buffered int64 // bytes counted as in flight
	admit    *admission
}

var bodies = sync.Pool{New: func() any { return new(body) }}

const (
	firstReadBytes  = 64 << 10 // allocated before the first byte arrives, whatever length is declared
	pooledBodyBytes = 1 << 20  // larger buffers are left to the garbage collector
)

func acquireBody(admit *admission) *body {
	b := bodies.Get().(*body)
	b.admit = admit
	return b
}

// release returns the memory to the pool. Nothing may refer to it afterwards. It does nothing on nil.
func (b *body) release() {
	if b == nil {
		return
	}
	b.admit.releaseBytes(b.buffered)
	b.buffered = 0
	if cap(b.bytes) > pooledBodyBytes {
		b.bytes = nil
	}
	b.bytes = b.bytes[:0]
	bodies.Put(b)
}

// read reads r to its end, at most limit bytes. declared is the Content-Length, negative if unknown. Memory is
// allocated and counted as bytes arrive, at most twice what has arrived, so a declared length costs nothing.
func (b *body) read(r io.Reader, declared, limit int) error {
	first := min(max(declared, 0), firstReadBytes)
	switch {
	case !b.reserve(min(first, limit)):
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
		case !b.reserve(min(len(b.bytes), limit)):
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
	size := min(max(2*cap(b.bytes), 4096), limit+1) // one byte more, to see that the limit is exceeded
	if declared >= 0 {
		size = min(size, declared)
	}
	b.bytes = append(make([]byte, 0, size), b.bytes...)
}

// reserve raises the bytes counted as in flight to n. It returns false if the limit is reached.
func (b *body) reserve(n int) bool {
	more := int64(n) - b.buffered
	if more <= 0 {
		return true
	}
	if !b.admit.reserveBytes(more) {
		return false
	}
	b.buffered += more
	return true
}
