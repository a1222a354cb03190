package connection

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// Counts counts the results of a connection's answered requests. Refused requests are not counted: they are retried.
type Counts struct {
	Accepted uint64 `json:"accepted"` // messages answered with 200
	Ignored  uint64 `json:"ignored"`  // messages dropped by type; they are not stored
	Dead     uint64 `json:"dead"`     // messages stored as dead letters
	Paused   uint64 `json:"paused"`   // requests answered with 204, because the connection was paused or disconnected
}

func (c Counts) plus(d Counts) Counts {
	return Counts{c.Accepted + d.Accepted, c.Ignored + d.Ignored, c.Dead + d.Dead, c.Paused + d.Paused}
}

func (c Counts) max(d Counts) Counts {
	return Counts{max(c.Accepted, d.Accepted), max(c.Ignored, d.Ignored), max(c.Dead, d.Dead), max(c.Paused, d.Paused)}
}

// Counts are a grow-only counter (G-Counter): an activity record has one tally per edge, only that edge increases it,
// and of two values the larger holds. Records may therefore arrive in any order or twice, or overwrite each other,
// without double counting. A restarted edge uses a new name.

const (
	// tallyTTL is the time after which an unchanged tally is removed.
	tallyTTL = 24 * time.Hour
	// maxTallies bounds the tallies in a record. The most recent ones stay; with more edges the sums are too small.
	maxTallies = 64
	// edgeIDLength gives 40 bits, enough to distinguish the edges of one connection and day.
	edgeIDLength = 8
)

// tally is one edge's counts for a connection since the edge started.
type tally struct {
	Edge string `json:"edge"`
	At   int64  `json:"at"` // last increase, Unix milliseconds
	Counts
}

// tallies are ordered by edge. They are shared and immutable.
type tallies []tally

// merged sorts all and combines tallies of the same edge. It modifies all.
func merged(all []tally) tallies {
	slices.SortFunc(all, func(a, b tally) int { return cmp.Compare(a.Edge, b.Edge) })
	out := all[:0]
	for _, t := range all {
		if n := len(out); n > 0 && out[n-1].Edge == t.Edge {
			out[n-1].At, out[n-1].Counts = max(out[n-1].At, t.At), out[n-1].max(t.Counts)
			continue
		}
		out = append(out, t)
	}
	return newest(out)
}

// newest drops the oldest tallies beyond maxTallies. A tally dropped from a part would be dropped from the whole, so
// the order of merging does not matter.
func newest(all tallies) tallies {
	if len(all) <= maxTallies {
		return all
	}
	slices.SortFunc(all, func(a, b tally) int { return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(a.Edge, b.Edge)) })
	all = slices.Clone(all[:maxTallies])
	slices.SortFunc(all, func(a, b tally) int { return cmp.Compare(a.Edge, b.Edge) })
	return all
}

func (all tallies) merge(more tallies) tallies {
	switch {
	case len(all) == 0:
		return more
	case len(more) == 0:
		return all
	}
	return merged(slices.Concat(all, more))
}

// current returns the tallies that have not expired at now.
func (all tallies) current(now time.Time) tallies {
	oldest := now.Add(-tallyTTL).UnixMilli()
	old := func(t tally) bool { return t.At < oldest }
	if !slices.ContainsFunc(all, old) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), old)
}

func (all tallies) sum() (c Counts) {
	for i := range all {
		c = c.plus(all[i].Counts)
	}
	return c
}

// counter is this edge's tally. Adding takes no lock and allocates nothing.
type counter struct {
	accepted, ignored, dead, paused atomic.Uint64

	droppedAt atomic.Int64 // Unix milliseconds of the last request of which nothing was accepted
}

func (c *counter) add(n Counts) {
	grow(&c.accepted, n.Accepted)
	grow(&c.ignored, n.Ignored)
	grow(&c.dead, n.Dead)
	grow(&c.paused, n.Paused)
}

func grow(value *atomic.Uint64, by uint64) {
	if by > 0 {
		value.Add(by)
	}
}

// tallies returns the counts as a tally of edge, none if all are zero.
func (c *counter) tallies(edge string, acceptedAt int64) tallies {
	counts := Counts{c.accepted.Load(), c.ignored.Load(), c.dead.Load(), c.paused.Load()}
	if counts == (Counts{}) {
		return nil
	}
	return tallies{{edge, max(acceptedAt, c.droppedAt.Load()), counts}}
}
