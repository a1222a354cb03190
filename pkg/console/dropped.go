package console

import (
	"time"

	"github.com/millrace/millrace/pkg/connection"
)

// dropped says of messages that are stored nowhere that they came: who wires a source may wait for an identify. Edges tell of them every
// ten seconds.
func (s *liveShow) dropped(found *listed) error {
	before, now := s.counted, found.Totals
	if s.counted = &now; before == nil {
		return nil
	}
	gone := goneSince(before, &now)
	if gone == (dropped{}) || *before == (connection.Counts{}) && time.Since(found.CreatedAt) > idle {
		return nil // of one that was idle for a day, edges come back with all that they have counted before
	}
	html, err := s.console.fragment("connection", "live-dropped", gone)
	if err != nil {
		return err
	}
	return s.stream.send("messages", html)
}

// idle is after how long counts of edges are left out until they count again.
const idle = 24 * time.Hour

// dropped is what came and is stored nowhere.
type dropped struct {
	At              time.Time
	Ignored, Paused uint64
}

// goneSince tells how much more it is. Counts go down when an edge's that has ended are left out.
func goneSince(before, now *connection.Counts) (d dropped) {
	if now.Ignored > before.Ignored {
		d.Ignored = now.Ignored - before.Ignored
	}
	if now.Paused > before.Paused {
		d.Paused = now.Paused - before.Paused
	}
	if d != (dropped{}) {
		d.At = time.Now().UTC()
	}
	return d
}
