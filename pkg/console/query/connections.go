package query

import (
	"context"
	"time"
)

type connectionRow struct {
	ID    string `ch:"connection_id"`
	Count uint64 `ch:"n"`
}

// LastMinute is how many events of each connection were received in the last minute. One that has sent nothing is not there. It is cheap
// enough to be asked every few seconds.
func (i *Insight) LastMinute(ctx context.Context, now time.Time) (map[string]uint64, error) {
	return counted(ask[connectionRow](ctx, i, `SELECT connection_id, `+arrived+` AS n
FROM events WHERE received_at >= {minute:`+moment+`} GROUP BY connection_id`, parameters{"minute": text(now.Add(-time.Minute))}))
}

// LettersOfDay is how many dead letters of each connection were received in the last 24 hours.
func (i *Insight) LettersOfDay(ctx context.Context, now time.Time) (map[string]uint64, error) {
	return counted(ask[connectionRow](ctx, i, `SELECT connection_id, count() AS n
FROM dead_letters FINAL WHERE received_at >= {day:`+moment+`} GROUP BY connection_id`, parameters{"day": text(now.Add(-day))}))
}

func counted(rows []connectionRow, _ string, err error) (map[string]uint64, error) {
	all := make(map[string]uint64, len(rows))
	for _, row := range rows {
		all[row.ID] = row.Count
	}
	return all, err
}
