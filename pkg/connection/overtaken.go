package connection

import (
	"bytes"
	"context"
)

// Of two changes that were made from one revision all readers take the first and skip the second. Its writer sees that and
// writes once more. If it crashes before it has:
//
//  1. the log has the change that is in force, and behind it the one that is not;
//  2. compaction keeps the last record of a key, and that is the wrong one;
//  3. who reads the log from then on, such as an edge that is started, takes that for the connection: a token that was
//     rotated away, whose rotation was in force everywhere, would be good again.
//
// So edges write what is in force behind it, at the interval of their recorders. It is the next revision, so that who changes
// the connection meanwhile is told by it as by any other change. Two edges that do so at once write the same.

// overtakenBy tells whether a record that is skipped says anything else than the connection in force.
func (s *state) overtakenBy(c *Connection) bool {
	theirs, err := encodeConnection(c)
	ours, ourErr := encodeConnection(s.connection)
	return err != nil || ourErr != nil || !bytes.Equal(theirs, ours)
}

// restore writes what is in force behind a record that is not.
func (r *Recorder) restore(ctx context.Context, e *entry) {
	s := e.state.Load()
	if s == nil || !e.overtaken.Load() {
		return
	}
	c := *s.connection
	c.Revision++
	value, err := encodeConnection(&c)
	if err == nil {
		err = r.log.Append(ctx, connectionKey(e.id), value)
	}
	if err != nil {
		r.metrics.activityFailures.Inc()
	}
}
