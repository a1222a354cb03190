package query

import (
	"context"
	"time"

	"github.com/shopspring/decimal"
)

// maxTypes limits the listed types.
const maxTypes = 20

// Types has the most frequent event types.
type Types struct {
	Types  []Type
	Others uint64 // types beyond maxTypes
	SQL    string
}

// Type has the counts and sums of an event type.
type Type struct {
	Name   string `ch:"event_type"`
	Events uint64 `ch:"events"`
	Counts
	Values map[string]decimal.Decimal `ch:"value_by_currency"`
	Total  uint64                     `ch:"types"` // number of types
}

// Types returns the event types of the range.
func (c *Client) Types(ctx context.Context, f Filter) (Types, error) {
	rows, sql, err := run[Type](ctx, c, `SELECT event_type, count() AS events, `+byInfluence+`,
    `+byCurrency+`, count() OVER () AS types
FROM `+f.eventsInRange()+`
GROUP BY event_type ORDER BY events DESC, event_type LIMIT {limit:UInt8}`+finalPerPartition, f.parametersWith("limit", maxTypes))
	t := Types{Types: rows, SQL: sql}
	if len(rows) > 0 {
		t.Others = rows[0].Total - uint64(len(rows))
	}
	return t, err
}

// Unclassified has the most frequent event types without a classification.
type Unclassified struct {
	Types  []UnclassifiedType
	Others uint64 // types beyond maxTypes
	SQL    string
}

// UnclassifiedType is an event type whose events are all neutral.
type UnclassifiedType struct {
	Name     string    `ch:"event_type"`
	Events   uint64    `ch:"events"`
	LastSeen time.Time `ch:"last_seen_at"`
	Products []string  `ch:"products"`
	Example  string    `ch:"example_insert_id"` // insert id of the latest event
	Total    uint64    `ch:"types"`             // number of types
}

// Unclassified returns the rows of the view unclassified_event_types for the range.
func (c *Client) Unclassified(ctx context.Context, f Filter) (Unclassified, error) {
	rows, sql, err := run[UnclassifiedType](
		ctx,
		c,
		`SELECT event_type, count() AS events, max(event_at) AS last_seen_at, arraySort(groupUniqArray(product_id)) AS products,
    argMax(insert_id, (event_at, insert_id)) AS example_insert_id, count() OVER () AS types
FROM `+f.eventsInRange()+`
GROUP BY event_type HAVING countIf(influence != 'neutral') = 0
ORDER BY events DESC, event_type LIMIT {limit:UInt8}`+finalPerPartition,
		f.parametersWith("limit", maxTypes),
	)
	u := Unclassified{Types: rows, SQL: sql}
	if len(rows) > 0 {
		u.Others = rows[0].Total - uint64(len(rows))
	}
	return u, err
}
