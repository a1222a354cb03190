package query

import (
	"context"
	"time"
)

type connectionRow struct {
	ID    string `ch:"connection_id"`
	Count uint64 `ch:"n"`
}

// LastMinute returns the number of events received in the last minute, by connection. Connections without events are
// missing. It is cheap enough to run every few seconds.
func (c *Client) LastMinute(ctx context.Context, now time.Time) (map[string]uint64, error) {
	return byConnection(run[connectionRow](ctx, c, `SELECT connection_id, `+uniqueEvents+` AS n
FROM events WHERE received_at >= {minute:`+dateTime+`} GROUP BY connection_id`, parameters{"minute": formatTime(now.Add(-time.Minute))}))
}

// DeadLettersLastDay returns the number of dead letters received in the last 24 hours, by connection.
func (c *Client) DeadLettersLastDay(ctx context.Context, now time.Time) (map[string]uint64, error) {
	return byConnection(run[connectionRow](ctx, c, `SELECT connection_id, count() AS n
FROM dead_letters FINAL WHERE received_at >= {day:`+dateTime+`} GROUP BY connection_id`, parameters{"day": formatTime(now.Add(-day))}))
}

func byConnection(rows []connectionRow, _ string, err error) (map[string]uint64, error) {
	all := make(map[string]uint64, len(rows))
	for _, row := range rows {
		all[row.ID] = row.Count
	}
	return all, err
}
