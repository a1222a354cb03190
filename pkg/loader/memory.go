package loader

import (
	"context"
	"sync/atomic"
	"time"
)

// memoryLimit bounds the bytes of records that are fetched and not yet committed. At the limit, the reader stops
// fetching and has workers flush their batches.
type memoryLimit struct {
	max           int64
	bufferedBytes atomic.Int64
	released      chan struct{}
}

func newMemoryLimit(maxBytes int64) *memoryLimit {
	return &memoryLimit{max: maxBytes, released: make(chan struct{}, 1)}
}

func (m *memoryLimit) reserve(bytes int64) { m.bufferedBytes.Add(bytes) }

func (m *memoryLimit) release(bytes int64) {
	m.bufferedBytes.Add(-bytes)
	select {
	case m.released <- struct{}{}:
	default:
	}
}

// flushInterval is the time between two flushes if nothing is released meanwhile. Records that were fetched just before
// the first flush were not in a batch yet.
const flushInterval = 10 * time.Millisecond

// wait returns when the buffered bytes are below the limit, or ctx has ended. Until then it calls flush repeatedly.
func (m *memoryLimit) wait(ctx context.Context, flush func()) {
	for m.bufferedBytes.Load() >= m.max {
		flush()
		select {
		case <-m.released:
		case <-time.After(flushInterval):
		case <-ctx.Done():
			return
		}
	}
}
