package loader

import (
	"context"
	"sync/atomic"
	"time"
)

// memoryLimit bounds the bytes of messages held between being fetched and being committed. The reader stops
// fetching at the bound and presses lanes to insert what they have.
type memoryLimit struct {
	max           int64
	bufferedBytes atomic.Int64
	released      chan struct{}
}

func newMemoryLimit(most int64) *memoryLimit {
	return &memoryLimit{max: most, released: make(chan struct{}, 1)}
}

func (b *memoryLimit) reserve(n int64) { b.bufferedBytes.Add(n) }

func (b *memoryLimit) release(n int64) {
	b.bufferedBytes.Add(-n)
	select {
	case b.released <- struct{}{}:
	default:
	}
}

// flushInterval is when lanes are pressed again although none has given anything: when they were pressed before, what was
// read last may not have been in their chunks yet.
const flushInterval = 10 * time.Millisecond

// wait returns when there is room, or ctx has ended. As long as there is not, it calls press.
func (b *memoryLimit) wait(ctx context.Context, press func()) {
	for b.bufferedBytes.Load() >= b.max {
		press()
		select {
		case <-b.released:
		case <-time.After(flushInterval):
		case <-ctx.Done():
			return
		}
	}
}
