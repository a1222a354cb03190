package connection

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Activity is when the first and the last event of a connection were accepted, in UTC milliseconds, both
// zero if there was none; and what edges have counted.
type Activity struct {
	FirstEventAt time.Time `json:"first_event_at,omitzero"`
	LastEventAt  time.Time `json:"last_event_at,omitzero"`

	edges tallies // only the record in the log has them; who asks gets their sums
}

// IsZero tells whether there was no event. There may be counts still: of messages that were all dropped.
func (a Activity) IsZero() bool { return a.FirstEventAt.IsZero() }

// Totals are the sums of what edges have counted, each since it was started, without those that have counted
// nothing for a day. So they are of no certain time: of an edge that runs for a month they have the month, what
// an edge counted that has ended leaves them a day later, and with more than 64 edges a day some are left out. They are 10 s
// behind, and what an edge that is killed counted in its last 10 s is not in them.
func (a Activity) Totals(now time.Time) Counts { return a.edges.kept(now).sum() }

// merge is the activity of both: the same in whichever order the edges' records come.
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

// kept is without the tallies that do not count any more.
func (a Activity) kept(now time.Time) Activity {
	a.edges = a.edges.kept(now)
	return a
}

func (a Activity) equal(b Activity) bool {
	return a.FirstEventAt.Equal(b.FirstEventAt) && a.LastEventAt.Equal(b.LastEventAt) && slices.Equal(a.edges, b.edges)
}

// covers tells whether b says nothing that a does not say.
func (a Activity) covers(b Activity) bool { return a.equal(b) || a.merge(b).equal(a) }

// activityBetween takes Unix milliseconds.
func activityBetween(first, last int64) Activity {
	return Activity{FirstEventAt: time.UnixMilli(first).UTC(), LastEventAt: time.UnixMilli(last).UTC()}
}

// activityRecord is an activity as the log holds it.
type activityRecord struct {
	Activity
	Edges []tally `json:"edges,omitempty"`
}

func encodeActivity(a Activity) ([]byte, error) {
	b, err := json.Marshal(activityRecord{a, a.edges})
	if err != nil {
		return nil, fmt.Errorf("encoding an activity: %w", err)
	}
	return b, nil
}

func decodeActivity(b []byte) (a Activity, err error) {
	var r activityRecord
	if json.Unmarshal(b, &r) != nil || r.FirstEventAt.IsZero() != r.LastEventAt.IsZero() || r.LastEventAt.Before(r.FirstEventAt) {
		return a, errors.New("the record is not the JSON of an activity")
	}
	if !r.FirstEventAt.IsZero() {
		a = activityBetween(r.FirstEventAt.UnixMilli(), r.LastEventAt.UnixMilli())
	}
	a.edges = joined(slices.DeleteFunc(r.Edges, func(t tally) bool { return t.Edge == "" || t.Counts == (Counts{}) }))
	if a.equal(Activity{}) {
		return a, errors.New("the record of an activity says nothing")
	}
	return a, nil
}
