package connection

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Activity is when the first and the last event of a connection were accepted, in UTC milliseconds.
// It is zero if there was none.
type Activity struct {
	FirstEventAt time.Time `json:"first_event_at,omitzero"`
	LastEventAt  time.Time `json:"last_event_at,omitzero"`
}

// IsZero tells whether there was no event.
func (a Activity) IsZero() bool { return a.FirstEventAt.IsZero() }

// merge is the activity of both: the same in whichever order the edges' records come.
func (a Activity) merge(b Activity) Activity {
	if a.IsZero() {
		return b
	}
	if b.IsZero() {
		return a
	}
	if b.FirstEventAt.Before(a.FirstEventAt) {
		a.FirstEventAt = b.FirstEventAt
	}
	if b.LastEventAt.After(a.LastEventAt) {
		a.LastEventAt = b.LastEventAt
	}
	return a
}

// activityBetween takes Unix milliseconds.
func activityBetween(first, last int64) Activity {
	return Activity{time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()}
}

func encodeActivity(a Activity) ([]byte, error) {
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encoding an activity: %w", err)
	}
	return b, nil
}

func decodeActivity(b []byte) (Activity, error) {
	var a Activity
	if json.Unmarshal(b, &a) != nil || a.FirstEventAt.IsZero() || a.LastEventAt.Before(a.FirstEventAt) {
		return Activity{}, errors.New("the record is not the JSON of an activity")
	}
	return activityBetween(a.FirstEventAt.UnixMilli(), a.LastEventAt.UnixMilli()), nil
}
