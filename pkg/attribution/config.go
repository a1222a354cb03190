package attribution

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Config is what the host decides.
type Config struct {
	Enabled       bool          // false: Resolve does nothing, and nothing runs in the background
	Topic         string        // the ingest topic; partitions of other topics are ignored
	Group         string        // the consumer group, by which progress is stored
	IdentityCache int           // external ids, and as many addresses, to keep in memory
	WriteTimeout  time.Duration // the longest that a change may be visible before it is in a change queue
}

// Deps is what the service shares with its host.
type Deps struct {
	Host    Host
	Lookup  *warehouse.Lookup
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Host is the loader, as far as attribution needs it. All methods are safe for concurrent use.
type Host interface {
	// IngestPartitions returns how many partitions the ingest topic has.
	IngestPartitions(ctx context.Context) (int32, error)

	// Confirm returns nil if the group still counts all partitions as this member's. It returns ErrNoMember before
	// the first assignment, and an error that is stream.ErrFenced if the group has moved on.
	Confirm(ctx context.Context, partitions []stream.Partition) error

	// Retry calls try until it succeeds, ctx ends or the error is permanent. It logs and counts each failure.
	Retry(ctx context.Context, p stream.Partition, operation string, try func(context.Context) error) error

	// Retrying logs and counts a failed background operation, which is tried again later.
	Retrying(operation string, err error)
}

// ErrNoMember says that this loader has not joined the consumer group yet.
var ErrNoMember = errors.New("this loader has not joined the group yet")
