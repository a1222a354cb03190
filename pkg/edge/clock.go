package edge

import (
	"sync/atomic"
	"time"
)

// clock gives out times of receipt in Unix microseconds, each at most once: of two deliveries of one message the
// earlier counts, even within one request.
type clock struct{ last atomic.Int64 }

// reserve returns the first of n consecutive microseconds.
func (c *clock) reserve(n int) int64 {
	for {
		last := c.last.Load()
		first := max(time.Now().UnixMicro(), last+1)
		if c.last.CompareAndSwap(last, first+int64(n)-1) {
			return first
		}
	}
}
