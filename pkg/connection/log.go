package connection

import (
	"context"
	"time"
)

// Log is one process's view of the compacted topic of connection records.
type Log interface {
	// Append writes a record, or a tombstone if value is nil. It returns when every in-sync replica has it. After an
	// error the record may or may not be written.
	Append(ctx context.Context, key string, value []byte) error

	// Follow calls apply for each record from the beginning of the topic and then for new ones, in order per key. It
	// retries retryable errors and returns when ctx ends or on a permanent error. It must not return to older records
	// while CurrentAt is within a lease. apply does not keep value. Follow is called once.
	Follow(ctx context.Context, apply func(key string, value []byte)) error

	// CurrentAt returns the latest time, with a monotonic reading, up to which Follow has applied every record: the
	// time at which the end offset was requested that Follow has since reached. It is zero before that. It is called
	// per request: no lock, no allocation.
	CurrentAt() time.Time
}
