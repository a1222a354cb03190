package loader

import (
	"context"
	"errors"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/stream"
)

func (c *Config) attribution(topic string) attribution.Config {
	return attribution.Config{Enabled: c.Attribution, Topic: topic, Group: c.Consumer.Group,
		IdentityCache: c.IdentityCache, WriteTimeout: c.Warehouse.Timeout}
}

// attributionHost is the loader as attribution knows it.
type attributionHost struct{ *Service }

// IngestPartitions implements attribution.Host.
func (h attributionHost) IngestPartitions(ctx context.Context) (int32, error) {
	return h.deps.Stream.IngestPartitions(ctx)
}

// Confirm implements attribution.Host. If the group has moved on, the membership ends.
func (h attributionHost) Confirm(ctx context.Context, partitions []stream.Partition) error {
	member, fail := h.membership()
	if member == nil {
		return attribution.ErrNoMember
	}
	err := member.Confirm(ctx, partitions)
	if errors.Is(err, stream.ErrFenced) {
		fail(err)
	}
	return err
}

// Retry implements attribution.Host.
func (h attributionHost) Retry(ctx context.Context, p stream.Partition, operation string, try func(context.Context) error) error {
	return h.retry(ctx, p, operation, try)
}

// Retrying implements attribution.Host.
func (h attributionHost) Retrying(operation string, err error) {
	h.metrics.retries.WithLabelValues(operation).Inc()
	h.deps.Log.Warn("operation failed, retrying", "operation", operation, "error", err)
}

// attribute resolves a batch's events. Their memory stays as it is until the batch is stored.
func (w *partitionWorker) attribute(b *insertBatch) error {
	f, ok := b.rowBuilder.(*eventBuilder)
	if !ok || f.empty() || !w.service.config.Attribution {
		return nil
	}
	b.attributed = attribution.Batch{Partition: w.Partition, Events: f.borrow(), Observations: f.observations}
	return w.service.attribution.Resolve(w.ctx, &b.attributed)
}

func (f *eventBuilder) empty() bool {
	return len(f.observations) == 0 && (f.rows == nil || f.rows.Rows() == 0)
}
