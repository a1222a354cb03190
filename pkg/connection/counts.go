package connection

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// Counts are of what came of a connection's requests, by the answers that were given. Requests that were
// refused are not in them: they are sent again.
type Counts struct {
	Accepted uint64 `json:"accepted"` // messages answered with 200
	Ignored  uint64 `json:"ignored"`  // messages dropped silently for their type; they are stored nowhere
	Dead     uint64 `json:"dead"`     // messages kept as dead letters
	Paused   uint64 `json:"paused"`   // requests answered with 204, because the connection was paused or disconnected
}

func (c Counts) plus(d Counts) Counts {
	return Counts{c.Accepted + d.Accepted, c.Ignored + d.Ignored, c.Dead + d.Dead, c.Paused + d.Paused}
}

func (c Counts) most(d Counts) Counts {
	return Counts{max(c.Accepted, d.Accepted), max(c.Ignored, d.Ignored), max(c.Dead, d.Dead), max(c.Paused, d.Paused)}
}

// Edges count each for itself, in a grow-only counter (a G-Counter): a record of activity has a tally of each edge,
// only that edge makes it grow, and of two the larger holds. So records may come in any order, twice, or
// be written over each other, and a sum of tallies counts nothing twice. An edge that is started anew counts under a
// new name.
//
// Edges of before there were counts leave all tallies out of what they write. The others still know them and write them
// again, at the next interval of their recorders. Only if none of those runs any more are the counts lost, to who reads the
// log after it was compacted. A record with counts and without an event is to old edges one that cannot be read: they
// count it as such and skip it.

const (
	// tallyKept is how long the tally of an edge that counts nothing stays.
	tallyKept = 24 * time.Hour
	// maxTallies is how many edges a record has tallies of: those that counted something last. With more edges than that the
	// sums are too small.
	maxTallies = 64
	// edgeIDLength is short because it only tells the edges of one connection and day apart: 40 bits.
	edgeIDLength = 8
)

// tally is what one edge has counted for a connection since it was started.
type tally struct {
	Edge string `json:"edge"`
	At   int64  `json:"at"` // Unix milliseconds: when it grew last
	Counts
}

// tallies are ordered by edge. They are shared, and never changed.
type tallies []tally

// joined makes tallies of what may be in any order, and several of one edge. It changes all.
func joined(all []tally) tallies {
	slices.SortFunc(all, func(a, b tally) int { return cmp.Compare(a.Edge, b.Edge) })
	out := all[:0]
	for _, t := range all {
		if n := len(out); n > 0 && out[n-1].Edge == t.Edge {
			out[n-1].At, out[n-1].Counts = max(out[n-1].At, t.At), out[n-1].most(t.Counts)
			continue
		}
		out = append(out, t)
	}
	return newest(out)
}

// newest keeps the bound. What it leaves out of a part would be left out of the whole, so that the order of merging
// does not matter.
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
	return joined(slices.Concat(all, more))
}

// kept are those that count at the instant now.
func (all tallies) kept(now time.Time) tallies {
	oldest := now.Add(-tallyKept).UnixMilli()
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

// counter is this edge's tally while it grows. It is added to for each request: no lock, no allocation.
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

// tallies is what was counted, under the name of edge, or none.
func (c *counter) tallies(edge string, acceptedAt int64) tallies {
	counts := Counts{c.accepted.Load(), c.ignored.Load(), c.dead.Load(), c.paused.Load()}
	if counts == (Counts{}) {
		return nil
	}
	return tallies{{edge, max(acceptedAt, c.droppedAt.Load()), counts}}
}
