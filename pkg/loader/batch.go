package loader

import (
	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/tracing"
	"github.com/millrace/millrace/pkg/warehouse"
)

// rowBuilder turns entries of one topic into rows of one table.
type rowBuilder interface {
	// add appends the entry, or says why it cannot become a row.
	append(e *stream.Record) (reason string, err error)
	block() warehouse.Block
	reset()
}

// deadLetter is an entry that could not become a row. It outlives the fetched memory.
type deadLetter struct {
	source         stream.Source
	receivedAt     int64
	value, context []byte
	reason, detail string
	offset         int64
	originalKind   stream.Kind
	replayOf       string // what it is a copy of, "" if it is none
	salt           string
}

// insertBatch is what is inserted and committed at once: all entries of a contiguous range of offsets.
type insertBatch struct {
	rowBuilder
	firstOffset, nextOffset int64 // offsets: the first in it, and the one behind it
	records                 int
	bytes                   int64 // bytes of the budget
	oldestReceivedAt        int64 // when the first entry was received, Unix microseconds
	end                     int64 // the partition's end as last seen
	deadLetters             []deadLetter
	requests                tracing.Requests // that have records in it
	replayed                bool             // there are records of a replay in it
	recreated               bool             // the partition's last owner had prepared it
	attributed              attribution.Batch
}

func (c *insertBatch) empty() bool { return c.records == 0 }

func (c *insertBatch) full(config *Config) bool {
	return c.records >= config.BlockRows || c.bytes >= int64(config.BlockBytes)
}

func (c *insertBatch) add(e *stream.Record, bytes int64) {
	if c.empty() {
		c.firstOffset, c.oldestReceivedAt = e.Offset, e.ReceivedAt
	}
	c.nextOffset = e.Offset + 1
	c.records++
	c.bytes += bytes
	c.replayed = c.replayed || e.ReplayOf != nil
	if e.Trace != nil && e.ReplayOf == nil { // a copy's trace is over
		c.requests.Meet(e.Trace)
	}
	if reason, err := c.append(e); err != nil {
		c.deadLetters = append(c.deadLetters, newDeadLetter(e, reason, err))
	}
}

func newDeadLetter(e *stream.Record, reason string, err error) deadLetter {
	return deadLetter{
		source:     stream.Source{Workspace: string(e.Workspace), Product: string(e.Product), Connection: string(e.Connection), Provider: string(e.Provider)},
		receivedAt: e.ReceivedAt, value: e.Value, context: e.Context,
		reason: reason, detail: err.Error(), offset: e.Offset, originalKind: stream.Kind(e.Kind), replayOf: string(e.ReplayOf), salt: string(e.Salt),
	}
}

func (c *insertBatch) clear() {
	c.reset()
	clear(c.deadLetters)
	*c = insertBatch{rowBuilder: c.rowBuilder, deadLetters: c.deadLetters[:0]}
}
