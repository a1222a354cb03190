package edge

import (
	"sync/atomic"
	"time"
)

// clock tells when messages were received, in Unix microseconds, and never the same instant twice: of
// two deliveries of one message the earlier counts, even within one request.
type clock struct{ last atomic.Int64 }

// reserve returns the first of n consecutive instants.
func (c *clock) reserve(n int) int64 {
	for {
		last := c.last.Load()
		first := max(time.Now().UnixMicro(), last+1)
		if c.last.CompareAndSwap(last, first+int64(n)-1) {
			return first
		}
	}
}
