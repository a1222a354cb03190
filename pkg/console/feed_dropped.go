package console

import (
	"time"

	"github.com/millrace/millrace/pkg/connection"
)

// sendDropped shows counts of dropped messages, which are stored nowhere: a user who sets up a source may wait for an
// identify. Edges report the counts every ten seconds.
func (s *messageFeed) sendDropped(found *connectionView) error {
	before, now := s.previousTotals, found.Totals
	if s.previousTotals = &now; before == nil {
		return nil
	}
	gone := droppedSince(before, &now)
	if gone == (droppedCounts{}) || *before == (connection.Counts{}) && time.Since(found.CreatedAt) > idle {
		return nil // after a day without messages, edges report their totals again
	}
	html, err := s.console.fragment("connection", "feed-dropped", gone)
	if err != nil {
		return err
	}
	return s.stream.send("messages", html)
}

// idle is the period after which edges stop reporting a connection's counts.
const idle = 24 * time.Hour

// droppedCounts are counts of dropped messages and requests.
type droppedCounts struct {
	At              time.Time
	Ignored, Paused uint64
}

// droppedSince returns the increase. Totals decrease when an edge stops.
func droppedSince(before, now *connection.Counts) (d droppedCounts) {
	if now.Ignored > before.Ignored {
		d.Ignored = now.Ignored - before.Ignored
	}
	if now.Paused > before.Paused {
		d.Paused = now.Paused - before.Paused
	}
	if d != (droppedCounts{}) {
		d.At = time.Now().UTC()
	}
	return d
}
