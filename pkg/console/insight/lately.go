package insight

import (
	"context"
	"time"
)

// Lately is what connections have sent of late: events of the last minute, dead letters of the last day. It is cheap enough to be asked
// every few seconds.
func (i *Insight) Lately(ctx context.Context, now time.Time) (Activity, error) {
	rows, sql, err := ask[connectionRow](ctx, i, `SELECT connection_id, sum(in_minute) AS last_minute, sum(letters) AS dead
FROM (
    SELECT connection_id, count() AS in_minute, 0 AS letters FROM events WHERE received_at >= {minute:`+moment+`} GROUP BY connection_id
    UNION ALL
    SELECT connection_id, 0, count() FROM dead_letters FINAL WHERE received_at >= {day:`+moment+`} GROUP BY connection_id
)
GROUP BY connection_id ORDER BY connection_id`, parameters{"minute": text(now.Add(-time.Minute)), "day": text(now.Add(-day))})
	return activity(rows, sql, err)
}
