package warehouse

import (
	"sync"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
)

// segmentSize is a power of two, so that each segment of values of one width is full.
const segmentSize = 64 << 10

// segments are bytes that grow by segments, which all blocks share: nothing is copied to grow, no block holds memory for
// what it has had once, and there is no garbage. With a slice for each column, growing them took a tenth of the loader's
// processor time on a backlog, and collecting what that left a twentieth: profiles of /debug/pprof in
// bin/compare loader --only millrace.
type segments struct {
	full   [][]byte
	open   []byte
	closed int // bytes in those that are full
}

// more makes room for n bytes behind what is open, which is small at first.
func (s *segments) more(n int) {
	size := len(s.open) + n
	if size <= segmentSize/2 {
		s.open = append(make([]byte, 0, max(64, 2*cap(s.open), 2*n)), s.open...)
		return
	}
	if len(s.open) > 0 && (cap(s.open) >= segmentSize || size > segmentSize) {
		s.full, s.closed, s.open = append(s.full, s.open), s.closed+len(s.open), nil
	}
	if n > segmentSize {
		s.open = make([]byte, 0, n)
		return
	}
	s.open = append(spare.take(), s.open...)
}

func (s *segments) size() int { return s.closed + len(s.open) }

// count is how many segments there are.
func (s *segments) count() int { return len(s.full) + 1 }

func (s *segments) segment(i int) []byte {
	if i < len(s.full) {
		return s.full[i]
	}
	return s.open
}

// reset gives the segments back, but for what is small.
func (s *segments) reset() {
	for i, segment := range s.full {
		spare.give(segment)
		s.full[i] = nil
	}
	if s.full, s.closed = s.full[:0], 0; cap(s.open) >= segmentSize {
		spare.give(s.open)
		s.open = nil
	}
	s.open = s.open[:0]
}

func (s *segments) appendTo(to []byte) []byte {
	for i := range s.count() {
		to = append(to, s.segment(i)...)
	}
	return to
}

func (s *segments) write(w *proto.Writer) {
	for i := range s.count() {
		w.ChainWrite(s.segment(i))
	}
}

func (s *segments) sum(h *xxhash.Digest) {
	for i := range s.count() {
		_, _ = h.Write(s.segment(i)) // never an error
	}
}

// spare has segments that no block uses: 64 MiB at most, about what two large blocks have.
var spare = shelf{most: 64 << 20 / segmentSize}

type shelf struct {
	most int

	mu       sync.Mutex
	segments [][]byte
}

// take is an empty segment.
func (s *shelf) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.segments) - 1
	if last < 0 {
		return make([]byte, 0, segmentSize)
	}
	segment := s.segments[last]
	s.segments[last] = nil
	s.segments = s.segments[:last]
	return segment
}

func (s *shelf) give(segment []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cap(segment) == segmentSize && len(s.segments) < s.most {
		s.segments = append(s.segments, segment[:0])
	}
}
