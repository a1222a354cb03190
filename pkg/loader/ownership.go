package loader

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// mayRevise makes sure that rows of the products are still this loader's to revise, and says for how long it counts. A
// loader that has lost a partition may not know it yet, and was about to write what it found out when it knew less than
// the next owner does:
//
//  1. the lease starts;
//  2. the group says whose the partitions are: so whoever has them next was given them after 1;
//  3. the revision begins before the lease has run out, or never;
//  4. the next owner goes back for all that this one may not have known, after the lease and what began under it have
//     ended (see attributor.leased).
func (a *attributor) mayRevise(ctx context.Context, n int, product func(int) string) (lease warehouse.Lease, err error) {
	if lease, err = a.lookup.Lease(ctx); err != nil {
		return lease, err
	}
	partitions, err := a.partitionsOf(ctx, n, product)
	if err != nil {
		return lease, err
	}
	member, fail := a.service.membership()
	if member == nil {
		return lease, errNoMember
	}
	err = member.Confirm(ctx, partitions)
	if errors.Is(err, stream.ErrFenced) {
		fail(err)
	}
	if err != nil {
		return lease, fmt.Errorf("revise rows: %w", err)
	}
	return lease, nil
}

var errNoMember = errors.New("this loader has not joined the group yet")

// partitionsOf are those that the products' messages are in.
func (a *attributor) partitionsOf(ctx context.Context, n int, product func(int) string) (list []stream.Partition, err error) {
	partition, err := a.partitioner(ctx)
	if err != nil {
		return nil, err
	}
	met := map[string]bool{}
	for i := range n {
		if p := product(i); !met[p] {
			met[p] = true
			list = append(list, partition(p))
		}
	}
	return list, nil
}

// partitioner tells the partition of a product.
func (a *attributor) partitioner(ctx context.Context) (func(product string) stream.Partition, error) {
	of, err := a.service.deps.Stream.IngestPartitions(ctx)
	if err != nil {
		return nil, err
	}
	topic := a.service.deps.Stream.Topics().Ingest
	return func(product string) stream.Partition {
		return stream.Partition{Topic: topic, ID: stream.PartitionOf(product, of)}
	}, nil
}

// products are those of workspaces, or of all, whose partitions are this loader's.
func (a *attributor) products(ctx context.Context, workspaces []string) ([]string, error) {
	all, err := a.lookup.Products(ctx, workspaces)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, some := range all {
		list = append(list, some...)
	}
	return a.ours(ctx, list)
}

// ours are the products whose partitions are this loader's.
func (a *attributor) ours(ctx context.Context, products []string) ([]string, error) {
	partition, err := a.partitioner(ctx)
	if err != nil {
		return nil, err
	}
	owned := map[int32]bool{}
	for _, id := range a.service.ingestPartitions() {
		owned[id] = true
	}
	return slices.DeleteFunc(products, func(p string) bool { return !owned[partition(p).ID] }), nil
}
