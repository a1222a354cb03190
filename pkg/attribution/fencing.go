package attribution

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// acquireLease makes sure that rows from the given origins belong to this loader, and returns the lease for their
// revision. A loader that lost a partition may still write a decision based on older claims than the next owner has.
// See the states in the package comment.
func (a *Service) acquireLease(ctx context.Context, rows []warehouse.ProductPartition) (warehouse.Lease, error) {
	lease, err := a.lookup.AcquireLease(ctx) // before Confirm: a later owner is assigned its partitions after this time
	if err != nil {
		return lease, err
	}
	o, err := a.ownership(ctx)
	if err != nil {
		return lease, err
	}
	partitions := make([]stream.Partition, len(rows))
	for i, row := range rows {
		partitions[i] = o.partition(row)
	}
	if err := a.host.Confirm(ctx, partitions); err != nil {
		return lease, fmt.Errorf("revise rows: %w", err)
	}
	return lease, nil
}

// origins returns the distinct products and partitions of rows.
func origins[R any](rows []R, origin func(*R) warehouse.ProductPartition) []warehouse.ProductPartition {
	all := map[warehouse.ProductPartition]bool{}
	for i := range rows {
		all[origin(&rows[i])] = true
	}
	return slices.Collect(maps.Keys(all))
}

// ownership says which stored rows a loader revises: those that came from its partitions. Only its own batches bring
// new rows of them, so it knows which are in progress. A product with key salting has partitions of several loaders.
type ownership struct {
	topic string
	count int32 // partitions of the topic
	owned map[int32]bool
}

func (a *Service) ownership(ctx context.Context) (*ownership, error) {
	count, err := a.host.IngestPartitions(ctx)
	if err != nil {
		return nil, err
	}
	o := &ownership{topic: a.config.Topic, count: count, owned: map[int32]bool{}}
	for _, id := range a.ownedPartitions() {
		o.owned[id] = true
	}
	return o, nil
}

// partition returns the partition whose owner revises a row: its origin, or its product's partition if the origin was
// not stored. If the topic was recreated with fewer partitions, a partition that exists takes the row.
func (o *ownership) partition(row warehouse.ProductPartition) stream.Partition {
	id := row.Partition % o.count
	if row.Partition < 0 {
		id = stream.PartitionOf(row.Workspace, row.Product, o.count)
	}
	return stream.Partition{Topic: o.topic, ID: id}
}

func (o *ownership) has(row warehouse.ProductPartition) bool { return o.owned[o.partition(row).ID] }

// partitions returns the owned partitions as a filter; it is empty for all of them.
func (o *ownership) partitions() warehouse.PartitionFilter {
	if len(o.owned) == int(o.count) {
		return warehouse.PartitionFilter{}
	}
	return warehouse.PartitionFilter{IDs: slices.Sorted(maps.Keys(o.owned)), PartitionCount: o.count}
}

// products returns the products that have rows of owned partitions.
func (o *ownership) products(all []warehouse.ProductPartition) (names []string) {
	for _, p := range all {
		if o.has(p) {
			names = append(names, p.Product)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
