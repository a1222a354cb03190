package loader

import (
	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/tracing"
	"github.com/millrace/millrace/pkg/warehouse"
)

// filler turns entries of one topic into rows of one table.
type filler interface {
	// add appends the entry, or says why it cannot become a row.
	add(e *stream.Entry) (reason string, err error)
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
	of             stream.Kind
	replayed       string // what it is a copy of, "" if it is none
	spread         string
}

// chunk is what is inserted and committed at once: all entries of a contiguous range of offsets.
type chunk struct {
	filler
	first, next int64 // offsets: the first in it, and the one behind it
	entries     int
	held        int64 // bytes of the budget
	oldest      int64 // when the first entry was received, Unix microseconds
	end         int64 // the partition's end as last seen
	dead        []deadLetter
	traced      tracing.Requests // that have records in it
	replayed    bool             // there are records of a replay in it
	rebuilt     bool             // the partition's last owner had prepared it
	flight      *identity.Flight // nil until it is attributed
}

func (c *chunk) empty() bool { return c.entries == 0 }

func (c *chunk) full(config *Config) bool {
	return c.entries >= config.BlockRows || c.held >= int64(config.BlockBytes)
}

func (c *chunk) take(e *stream.Entry, bytes int64) {
	if c.empty() {
		c.first, c.oldest = e.Offset, e.ReceivedAt
	}
	c.next = e.Offset + 1
	c.entries++
	c.held += bytes
	c.replayed = c.replayed || e.Replayed != nil
	if e.Trace != nil && e.Replayed == nil { // a copy's trace is over
		c.traced.Meet(e.Trace)
	}
	if reason, err := c.add(e); err != nil {
		c.dead = append(c.dead, letterOf(e, reason, err))
	}
}

func letterOf(e *stream.Entry, reason string, err error) deadLetter {
	return deadLetter{
		source:     stream.Source{Workspace: string(e.Workspace), Product: string(e.Product), Connection: string(e.Connection), Provider: string(e.Provider)},
		receivedAt: e.ReceivedAt, value: e.Value, context: e.Context,
		reason: reason, detail: err.Error(), offset: e.Offset, of: stream.Kind(e.Kind), replayed: string(e.Replayed), spread: string(e.Spread),
	}
}

func (c *chunk) clear() {
	c.land()
	c.reset()
	clear(c.dead)
	*c = chunk{filler: c.filler, dead: c.dead[:0]}
}

// land ends the chunk's attribution: its rows are in the table, or never will be.
func (c *chunk) land() {
	if c.flight != nil {
		c.flight.End()
	}
}
