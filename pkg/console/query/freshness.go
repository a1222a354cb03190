package query

import (
	"context"
	"time"
)

// Freshness says how recent the stored events are.
type Freshness struct {
	Times  []int64   // each minute of the last hour, in Unix seconds
	Events []uint64  // events received in that minute
	Newest time.Time // time of receipt of the newest event; zero if there is none
	SQL    string
}

// Freshness returns the freshness of a product, or of all.
func (c *Client) Freshness(ctx context.Context, product string, now time.Time) (Freshness, error) {
	until := ceil(now.Unix()+1, 60)
	f := Filter{Range{until.Add(-time.Hour), until, 60}, product}
	rows, sql, err := run[struct {
		At     time.Time `ch:"at"`
		Events uint64    `ch:"events"`
		Newest time.Time `ch:"newest"`
	}](ctx, c, `SELECT toStartOfMinute(received_at) AS at, `+uniqueEvents+` AS events, max(received_at) AS newest
FROM events WHERE `+f.timeCondition("received_at")+` GROUP BY at `+fillSteps, f.parameters())
	fresh := Freshness{Times: f.times(), SQL: sql}
	fresh.Events = make([]uint64, len(fresh.Times))
	for _, row := range rows {
		if row.Events > 0 {
			fresh.Events[f.stepIndex(row.At)], fresh.Newest = row.Events, row.Newest
		}
	}
	if err == nil && fresh.Newest.IsZero() {
		fresh.Newest, err = c.newest(ctx, product)
	}
	return fresh, err
}

// newest reads all rows. It runs only if no event came in the last hour.
func (c *Client) newest(ctx context.Context, product string) (time.Time, error) {
	query := "SELECT maxOrNull(received_at) AS newest FROM events"
	if product != "" {
		query += " WHERE product_id = {product:String}"
	}
	rows, _, err := run[struct {
		Newest *time.Time `ch:"newest"`
	}](ctx, c, query, parameters{"product": product})
	if err != nil || rows[0].Newest == nil {
		return time.Time{}, err
	}
	return *rows[0].Newest, nil
}
