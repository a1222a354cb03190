package loader

import (
	"context"
	"sync/atomic"
)

// budget bounds the bytes of messages held between being fetched and being committed. The reader stops
// fetching at the bound; what is held goes down by itself, for every lane inserts what it has after its
// linger.
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

// wait returns when there is room, or ctx has ended.
func (b *budget) wait(ctx context.Context) {
	for b.held.Load() >= b.max {
		select {
		case <-b.freed:
		case <-ctx.Done():
			return
		}
	}
}
