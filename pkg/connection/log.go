package connection

import (
	"context"
	"time"
)

// Log is the compacted topic of connection records, as one process sees it.
type Log interface {
	// Append writes a record, or with a nil value the tombstone of key, and returns once every in-sync
	// replica has it. After an error it may be there or not.
	Append(ctx context.Context, key string, value []byte) error

	// Follow calls apply for the records of the log from its beginning, one at a time, each key's in the
	// order they were written, and goes on as they come. It retries what can be retried and returns
	// when ctx ends, or with an error that it cannot recover from. Once started, it must not go back to
	// older records while CurrentAt is within a lease. apply does not keep value. It is called once.
	Follow(ctx context.Context, apply func(key string, value []byte)) error

	// CurrentAt is an instant, with a monotonic clock reading, before which nothing was written that
	// Follow has not applied: when the end of the log was asked for that has since been reached. It is
	// zero until the first time. It is called for each request: no lock, no allocation.
	CurrentAt() time.Time
}
