package insight

import (
	"context"
	"time"
)

// Activity is what connections have sent of late, by their ids. One that has sent nothing is not there.
type Activity struct {
	Connections map[string]ConnectionActivity
	SQL         string
}

// ConnectionActivity is one connection's.
type ConnectionActivity struct {
	LastMinute  uint64    `ch:"last_minute"` // events
	LastDay     uint64    `ch:"last_day"`    // events
	DeadLetters uint64    `ch:"dead"`        // of the last day
	LastEvent   time.Time `ch:"last_event"`  // received; zero if there was none in the last day
}

type connectionRow struct {
	ID string `ch:"connection_id"`
	ConnectionActivity
}

// LastDay is the activity of the last 24 hours. It reads what came in them, and is to be asked once a minute or so.
func (i *Insight) LastDay(ctx context.Context, now time.Time) (Activity, error) {
	rows, sql, err := ask[connectionRow](ctx, i, `SELECT connection_id, sum(in_minute) AS last_minute, sum(in_day) AS last_day, sum(letters) AS dead, max(newest) AS last_event
FROM (
    SELECT connection_id, uniqCombined64If(20)(product_id, event_key_at, insert_id, received_at >= {minute:`+moment+`}) AS in_minute, `+arrived+` AS in_day, 0 AS letters, max(received_at) AS newest
    FROM events WHERE received_at >= {day:`+moment+`} GROUP BY connection_id
    UNION ALL
    SELECT connection_id, 0, 0, count(), toDateTime64(0, 3, 'UTC')
    FROM dead_letters FINAL WHERE received_at >= {day:`+moment+`} GROUP BY connection_id
)
GROUP BY connection_id ORDER BY connection_id`, parameters{"minute": text(now.Add(-time.Minute)), "day": text(now.Add(-day))})
	return activity(rows, sql, err)
}

// LastMinute has the events of the last minute only, and is cheap enough to be asked every few seconds.
func (i *Insight) LastMinute(ctx context.Context, now time.Time) (Activity, error) {
	rows, sql, err := ask[connectionRow](ctx, i, `SELECT connection_id, `+arrived+` AS last_minute, max(received_at) AS last_event
FROM events WHERE received_at >= {minute:`+moment+`} GROUP BY connection_id ORDER BY connection_id`, parameters{"minute": text(now.Add(-time.Minute))})
	return activity(rows, sql, err)
}

func activity(rows []connectionRow, sql string, err error) (Activity, error) {
	a := Activity{map[string]ConnectionActivity{}, sql}
	for _, row := range rows {
		if row.LastEvent.Unix() == 0 {
			row.LastEvent = time.Time{}
		}
		a.Connections[row.ID] = row.ConnectionActivity
	}
	return a, err
}
