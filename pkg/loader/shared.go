package loader

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/warehouse"
)

// shared is what the reader and all partition workers of a loader use.
type shared struct {
	config      Config
	deps        Deps
	producer    *stream.Producer // of dead letters
	inserter    inserter
	lookup      *warehouse.Lookup
	attribution *attribution.Service
	memory      *memoryLimit
	metrics     *metrics

	newRowBuilder func(stream.Partition) rowBuilder

	// Workers need no lock for the present membership: it is set before the first fetch.
	membershipMu sync.Mutex
	consumer     consumer
	fail         context.CancelCauseFunc // ends the membership
}

// consumer and inserter are the log and the table as far as the delivery guarantees depend on them. Tests replace them
// to inject faults at every step.
type (
	consumer interface {
		Poll(ctx context.Context, take func(*stream.Batch)) error
		Pause(p stream.Partition)
		Resume(p stream.Partition)
		Prepare(ctx context.Context, p stream.Partition, first, until int64) error
		Commit(ctx context.Context, p stream.Partition, next int64) error
		ConfirmOwnership(ctx context.Context, partitions []stream.Partition) error
	}
	inserter interface {
		Split(ctx context.Context, b warehouse.Block) ([]warehouse.Block, error)
		Insert(ctx context.Context, b warehouse.Block, token string) error
		InsertRows(ctx context.Context, b warehouse.Block, from, to int, token string) error
		Close()
	}
)

func (s *shared) setMembership(consumer consumer, fail context.CancelCauseFunc) {
	s.membershipMu.Lock()
	defer s.membershipMu.Unlock()
	s.consumer, s.fail = consumer, fail
}

// membership returns the present membership, or nil before the first one.
func (s *shared) membership() (consumer, context.CancelCauseFunc) {
	s.membershipMu.Lock()
	defer s.membershipMu.Unlock()
	return s.consumer, s.fail
}

const (
	retryMinDelay = 100 * time.Millisecond
	retryMaxDelay = 5 * time.Second
)

// retry calls try until it succeeds or ctx ends. It also ends with an error that another attempt would not change: the
// group has moved on, or ClickHouse refuses the rows themselves.
func (s *shared) retry(
	ctx context.Context, p stream.Partition, operation string, try func(context.Context) error,
) error {
	backoff := retry.WithJitterPercent(20, retry.WithCappedDuration(retryMaxDelay, retry.NewExponential(retryMinDelay)))
	return retry.Do(ctx, backoff, func(ctx context.Context) error {
		err := try(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, stream.ErrFenced) {
			return err
		}
		if _, refused := warehouse.RejectedRows(err); refused {
			return err
		}
		s.metrics.retries.WithLabelValues(operation).Inc()
		s.deps.Log.Warn("operation failed, retrying", "operation", operation, "partition", p.String(), "error", err)
		return retry.RetryableError(err)
	})
}

// scope is what the parts of one partition worker use.
type scope struct {
	*shared
	partition stream.Partition
	ctx       context.Context    // ends when the worker gives up its work
	cancel    context.CancelFunc // gives up the worker's work
}

func newScope(s *shared, p stream.Partition) *scope {
	ctx, cancel := context.WithCancel(context.Background())
	return &scope{shared: s, partition: p, ctx: ctx, cancel: cancel}
}

func (s *scope) retry(operation string, try func(context.Context) error) error {
	return s.shared.retry(s.ctx, s.partition, operation, try)
}

var errPanic = errors.New("a partition worker has panicked; see the log")

// recoverPanic calls work. A panic in it is logged and ends the loader with an error, instead of the process.
func (s *scope) recoverPanic(doing string, work func()) {
	defer func() {
		if panicked := recover(); panicked != nil {
			telemetry.BUG(s.deps.Log, doing+" of "+s.partition.String(), panicked, debug.Stack())
			s.cancel()
			s.fail(errPanic)
		}
	}()
	work()
}
