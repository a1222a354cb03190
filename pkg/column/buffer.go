package column

import (
	"sync"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
)

// pageSize is a power of two, so a full page holds a whole number of fixed-width values.
const pageSize = 64 << 10

// buffer is a byte buffer that grows by pages from a pool that all columns share. Growing copies nothing, an empty
// buffer keeps no large memory, and no garbage is left behind. With one slice per column, growing took a tenth of the
// loader's processor time on a backlog and garbage collection a twentieth (profiles of bin/compare loader).
type buffer struct {
	full      [][]byte
	last      []byte
	fullBytes int // total size of the full pages
}

// grow makes room for n bytes in the last page. The first page starts small and doubles.
func (b *buffer) grow(n int) {
	size := len(b.last) + n
	if size <= pageSize/2 {
		b.last = append(make([]byte, 0, max(64, 2*cap(b.last), 2*n)), b.last...)
		return
	}
	if len(b.last) > 0 && (cap(b.last) >= pageSize || size > pageSize) {
		b.full, b.fullBytes, b.last = append(b.full, b.last), b.fullBytes+len(b.last), nil
	}
	if n > pageSize {
		b.last = make([]byte, 0, n)
		return
	}
	b.last = append(pages.get(), b.last...)
}

// Size returns the number of bytes.
func (b *buffer) Size() int { return b.fullBytes + len(b.last) }

func (b *buffer) pageCount() int { return len(b.full) + 1 }

func (b *buffer) page(i int) []byte {
	if i < len(b.full) {
		return b.full[i]
	}
	return b.last
}

// Reset empties the buffer and returns its pages to the pool. A small first page is kept.
func (b *buffer) Reset() {
	for i, page := range b.full {
		pages.put(page)
		b.full[i] = nil
	}
	if b.full, b.fullBytes = b.full[:0], 0; cap(b.last) >= pageSize {
		pages.put(b.last)
		b.last = nil
	}
	b.last = b.last[:0]
}

func (b *buffer) appendTo(to []byte) []byte {
	for i := range b.pageCount() {
		to = append(to, b.page(i)...)
	}
	return to
}

// EncodeColumn appends the bytes to a buffer of ch-go.
func (b *buffer) EncodeColumn(to *proto.Buffer) { to.Buf = b.appendTo(to.Buf) }

// WriteColumn passes the bytes to the connection without copying them.
func (b *buffer) WriteColumn(w *proto.Writer) {
	for i := range b.pageCount() {
		w.ChainWrite(b.page(i))
	}
}

// Checksum adds the bytes to h.
func (b *buffer) Checksum(h *xxhash.Digest) {
	for i := range b.pageCount() {
		_, _ = h.Write(b.page(i)) // never an error
	}
}

// pages is the pool of free pages: at most 64 MiB, about the size of two large blocks.
var pages = bufferPool{limit: 64 << 20 / pageSize}

// bufferPool holds free pages, at most limit of them.
type bufferPool struct {
	limit int

	mu   sync.Mutex
	free [][]byte
}

// get returns an empty page.
func (p *bufferPool) get() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return make([]byte, 0, pageSize)
	}
	page := p.free[last]
	p.free[last] = nil
	p.free = p.free[:last]
	return page
}

// put keeps a page for reuse. Buffers of another size are left to the garbage collector.
func (p *bufferPool) put(page []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cap(page) == pageSize && len(p.free) < p.limit {
		p.free = append(p.free, page[:0])
	}
}
