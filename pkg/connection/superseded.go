package connection

import (
	"bytes"
	"context"
)

// Of two changes of one revision all readers take the first and skip the second, whose writer then repeats it. If that
// writer crashes first:
//
//  1. the topic has the effective change, followed by the skipped one;
//  2. compaction keeps the last record of a key, which is the skipped one;
//  3. a newly started edge takes it for the connection, and a rotated token would be valid again.
//
// So edges write the effective version after it, at the interval of their recorders. It gets the next revision, so that
// concurrent writers detect it like any change. Two edges that do so concurrently write the same record.

// supersededBy reports whether a skipped record differs from the effective connection.
func (s *state) supersededBy(c *Connection) bool {
	theirs, err := encodeConnection(c)
	ours, ourErr := encodeConnection(s.connection)
	return err != nil || ourErr != nil || !bytes.Equal(theirs, ours)
}

// restore writes the effective version after a skipped record.
func (r *Recorder) restore(ctx context.Context, e *entry) {
	s := e.state.Load()
	if s == nil || !e.superseded.Load() {
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
