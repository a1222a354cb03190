package connection

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Activity holds the times of a connection's first and last accepted event, in UTC milliseconds, both zero without one,
// and the edges' counts.
type Activity struct {
	FirstEventAt time.Time `json:"first_event_at,omitzero"`
	LastEventAt  time.Time `json:"last_event_at,omitzero"`

	edges tallies // exported as sums only
}

// IsZero reports whether no event was accepted. There may still be counts of dropped messages.
func (a Activity) IsZero() bool { return a.FirstEventAt.IsZero() }

// Totals returns the sums of the edges' counts since each edge started, without edges that counted nothing for a day.
// The counts of an ended edge are removed a day later. With more than 64 edges a day some are missing. The sums are up
// to 10 s old, and the last 10 s of a killed edge are missing.
func (a Activity) Totals(now time.Time) Counts { return a.edges.current(now).sum() }

// merge combines two activities; the order does not matter.
func (a Activity) merge(b Activity) Activity {
	edges := a.edges.merge(b.edges)
	switch {
	case a.IsZero():
		a = b
	case !b.IsZero():
		if b.FirstEventAt.Before(a.FirstEventAt) {
			a.FirstEventAt = b.FirstEventAt
		}
		if b.LastEventAt.After(a.LastEventAt) {
			a.LastEventAt = b.LastEventAt
		}
	}
	a.edges = edges
	return a
}

// current returns the activity without expired tallies.
func (a Activity) current(now time.Time) Activity {
	a.edges = a.edges.current(now)
	return a
}

func (a Activity) equal(b Activity) bool {
	return a.FirstEventAt.Equal(b.FirstEventAt) && a.LastEventAt.Equal(b.LastEventAt) && slices.Equal(a.edges, b.edges)
}

// covers reports whether a contains everything that b contains.
func (a Activity) covers(b Activity) bool { return a.equal(b) || a.merge(b).equal(a) }

// activityBetween takes Unix milliseconds.
func activityBetween(first, last int64) Activity {
	return Activity{FirstEventAt: time.UnixMilli(first).UTC(), LastEventAt: time.UnixMilli(last).UTC()}
}

// activityRecord is the JSON of an activity in the topic.
type activityRecord struct {
	Activity
	Edges []tally `json:"edges,omitempty"`
}

func encodeActivity(a Activity) ([]byte, error) {
	b, err := json.Marshal(activityRecord{a, a.edges})
	if err != nil {
		return nil, fmt.Errorf("encode an activity: %w", err)
	}
	return b, nil
}

func decodeActivity(b []byte) (a Activity, err error) {
	var r activityRecord
	if json.Unmarshal(b, &r) != nil || r.FirstEventAt.IsZero() != r.LastEventAt.IsZero() ||
		r.LastEventAt.Before(r.FirstEventAt) {
		return a, errors.New("the record is not the JSON of an activity")
	}
	if !r.FirstEventAt.IsZero() {
		a = activityBetween(r.FirstEventAt.UnixMilli(), r.LastEventAt.UnixMilli())
	}
	a.edges = merged(slices.DeleteFunc(r.Edges, func(t tally) bool { return t.Edge == "" || t.Counts == (Counts{}) }))
	if a.equal(Activity{}) {
		return a, errors.New("the record of an activity is empty")
	}
	return a, nil
}
