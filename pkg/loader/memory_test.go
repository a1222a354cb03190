package loader

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMemoryLimit_Reached_FlushesAndWaits(t *testing.T) {
	m := newMemoryLimit(100)
	var flushed atomic.Int32
	flush := func() { flushed.Add(1) }
	m.wait(t.Context(), flush)
	m.reserve(99)
	m.wait(t.Context(), flush)
	require.Zero(t, flushed.Load(), "no flush below the limit")
	m.reserve(50)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	m.wait(ctx, flush)
	require.Error(t, ctx.Err(), "it waits at the limit")
	require.Positive(t, flushed.Load(), "it flushes while it waits")
	waited := make(chan struct{})
	go func() { defer close(waited); m.wait(t.Context(), flush) }()
	m.release(1)
	m.release(1)
	select {
	case <-waited:
		t.Fatal("it returned with 147 of 100 bytes buffered")
	case <-time.After(10 * time.Millisecond):
	}
	m.release(100)
	<-waited
}
