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

// Config is the host's configuration of attribution.
type Config struct {
	Enabled       bool          // if false, Resolve does nothing and nothing runs in the background
	Topic         string        // the ingest topic; partitions of other topics are ignored
	Group         string        // the consumer group; progress is stored by group
	IdentityCache int           // number of external ids, and of addresses, in the cache
	WriteTimeout  time.Duration // the longest time between the write of a claim and the queueing of its change
}

// Deps are objects that the service shares with its host.
type Deps struct {
	Host    Host
	Lookup  *warehouse.Lookup
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Host is the loader. All methods are safe for concurrent use.
type Host interface {
	// IngestPartitions returns how many partitions the ingest topic has.
	IngestPartitions(ctx context.Context) (int32, error)

	// Confirm returns nil if the group confirms that this member owns the partitions. It returns ErrNoMember before
	// the first assignment, and an error that wraps stream.ErrFenced if the member was removed.
	Confirm(ctx context.Context, partitions []stream.Partition) error

	// Retry calls try until it succeeds, ctx ends or the error is permanent. It logs and counts each failure.
	Retry(ctx context.Context, p stream.Partition, operation string, try func(context.Context) error) error

	// Retrying logs and counts a failed background operation, which is repeated later.
	Retrying(operation string, err error)
}

// ErrNoMember says that this loader has not joined the consumer group yet.
var ErrNoMember = errors.New("this loader has not joined the group yet")
