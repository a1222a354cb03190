package loader

import (
	"sync"
	"time"

	"github.com/millrace/millrace/pkg/stream"
)

// lag is the consumer lag of one partition: in records, and as the age of the oldest record that is fetched and not
// committed. The age grows while nothing is fetched or committed.
type lag struct {
	mu          sync.Mutex
	known       bool  // false before the first fetch
	next, end   int64 // the offset to commit next, and the partition's end as last fetched
	uncommitted []fetch
}

// fetch is a run of records that was fetched together.
type fetch struct {
	last    int64     // offset of its last record
	written time.Time // time of its first record
}

func (g *lag) fetched(b *stream.Batch) {
	if b.Len() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.known {
		g.known, g.next = true, b.Offset(0)
	}
	g.end = b.End
	g.uncommitted = append(g.uncommitted, fetch{b.Offset(b.Len() - 1), b.Timestamp(0)})
}

func (g *lag) committed(next int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = next
	for len(g.uncommitted) > 0 && g.uncommitted[0].last < next {
		g.uncommitted = g.uncommitted[1:]
	}
}

// at returns the lag at the time now, which is unknown before the first fetch.
func (g *lag) at(now time.Time) (records int64, age time.Duration, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.uncommitted) > 0 {
		age = max(0, now.Sub(g.uncommitted[0].written))
	}
	return max(0, g.end-g.next), age, g.known
}
