package query

import (
	"context"
	"time"
)

// Events has counts per step, as columns for uPlot.
type Events struct {
	Times                       []int64 // start of each step in Unix seconds
	Negative, Neutral, Positive []uint64
	SQL                         string
}

// Events counts the events of the range by step and influence. Steps without events are included.
func (c *Client) Events(ctx context.Context, f Filter) (Events, error) {
	rows, sql, err := run[struct {
		At time.Time `ch:"at"`
		Counts
	}](ctx, c, `SELECT `+stepStart+`, `+byInfluence+`
FROM `+f.eventsInRange()+`
GROUP BY at `+fillSteps+finalPerPartition, f.parameters())
	e := Events{Times: f.times(), SQL: sql}
	e.Negative, e.Neutral, e.Positive = make(
		[]uint64,
		len(e.Times),
	), make(
		[]uint64,
		len(e.Times),
	), make(
		[]uint64,
		len(e.Times),
	)
	for _, row := range rows {
		at := f.stepIndex(row.At)
		e.Negative[at], e.Neutral[at], e.Positive[at] = row.Negative, row.Neutral, row.Positive
	}
	return e, err
}
