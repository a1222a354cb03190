package console

import (
	"time"

	"github.com/millrace/millrace/pkg/connection"
)

// sendDropped says of messages that are stored nowhere that they came: who wires a source may wait for an identify. Edges tell of them every
// ten seconds.
func (s *messageFeed) sendDropped(found *connectionView) error {
	before, now := s.previousTotals, found.Totals
	if s.previousTotals = &now; before == nil {
		return nil
	}
	gone := droppedSince(before, &now)
	if gone == (droppedCounts{}) || *before == (connection.Counts{}) && time.Since(found.CreatedAt) > idle {
		return nil // of one that was idle for a day, edges come back with all that they have counted before
	}
	html, err := s.console.fragment("connection", "feed-dropped", gone)
	if err != nil {
		return err
	}
	return s.stream.send("messages", html)
}

// idle is after how long counts of edges are left out until they count again.
const idle = 24 * time.Hour

// droppedCounts is what came and is stored nowhere.
type droppedCounts struct {
	At              time.Time
	Ignored, Paused uint64
}

// droppedSince tells how much more it is. Counts go down when an edge's that has ended are left out.
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
