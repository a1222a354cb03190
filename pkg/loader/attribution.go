package loader

import (
	"context"
	"errors"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/stream"
)

func newAttribution(s *shared) *attribution.Service {
	return attribution.New(
		attribution.Config{
			Enabled: s.config.Attribution, Topic: s.deps.Stream.Topics().Ingest, Group: s.config.Consumer.Group,
			IdentityCache: s.config.IdentityCache, WriteTimeout: s.config.Warehouse.Timeout,
		},
		attribution.Deps{Host: attributionHost{s}, Lookup: s.lookup, Log: s.deps.Log, Metrics: s.deps.Metrics})
}

// attributionHost is the loader as attribution knows it.
type attributionHost struct{ *shared }

// IngestPartitions implements attribution.Host.
func (h attributionHost) IngestPartitions(ctx context.Context) (int32, error) {
	return h.deps.Stream.IngestPartitions(ctx)
}

// Confirm implements attribution.Host. The membership ends if the group has moved on.
func (h attributionHost) Confirm(ctx context.Context, partitions []stream.Partition) error {
	member, fail := h.membership()
	if member == nil {
		return attribution.ErrNoMember
	}
	err := member.ConfirmOwnership(ctx, partitions)
	if errors.Is(err, stream.ErrFenced) {
		fail(err)
	}
	return err
}

// Retry implements attribution.Host.
func (h attributionHost) Retry(
	ctx context.Context, p stream.Partition, operation string, try func(context.Context) error,
) error {
	return h.retry(ctx, p, operation, try)
}

// Retrying implements attribution.Host.
func (h attributionHost) Retrying(operation string, err error) {
	h.metrics.retries.WithLabelValues(operation).Inc()
	h.deps.Log.Warn("operation failed, retrying", "operation", operation, "error", err)
}
