package loader

import (
	"context"
	"sync/atomic"
	"time"
)

// budget bounds the bytes of messages held between being fetched and being committed. The reader stops
// fetching at the bound and presses lanes to insert what they have.
type budget struct {
	max   int64
	held  atomic.Int64
	freed chan struct{}
}

func newBudget(most int64) *budget { return &budget{max: most, freed: make(chan struct{}, 1)} }

func (b *budget) take(n int64) { b.held.Add(n) }

func (b *budget) give(n int64) {
	b.held.Add(-n)
	select {
	case b.freed <- struct{}{}:
	default:
	}
}

// pressAgain is when lanes are pressed again although none has given anything: when they were pressed before, what was
// read last may not have been in their chunks yet.
const pressAgain = 10 * time.Millisecond

// wait returns when there is room, or ctx has ended. As long as there is not, it calls press.
func (b *budget) wait(ctx context.Context, press func()) {
	for b.held.Load() >= b.max {
		press()
		select {
		case <-b.freed:
		case <-time.After(pressAgain):
		case <-ctx.Done():
			return
		}
	}
}
