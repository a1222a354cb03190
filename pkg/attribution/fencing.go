package attribution

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// mayRevise makes sure that rows, told by where they came from, are still this loader's to revise, and says for how long
// it counts. A loader that has lost a partition may not know it yet, and was about to write what it found out when it
// knew less than the next owner does:
//
//  1. the lease starts;
//  2. the group says whose the partitions are: so whoever has them next was given them after 1;
//  3. the revision begins before the lease has run out, or never;
//  4. the next owner goes back for all that this one may not have known, after the lease and what began under it have
//     ended (see Service.leased).
func (a *Service) mayRevise(ctx context.Context, n int, from func(int) warehouse.ProductPartition) (lease warehouse.Lease, err error) {
	if lease, err = a.lookup.AcquireLease(ctx); err != nil {
		return lease, err
	}
	s, err := a.share(ctx)
	if err != nil {
		return lease, err
	}
	var partitions []stream.Partition
	met := map[warehouse.ProductPartition]bool{}
	for i := range n {
		if seen := from(i); !met[seen] {
			met[seen] = true
			partitions = append(partitions, s.partition(seen))
		}
	}
	if err := a.host.Confirm(ctx, partitions); err != nil {
		return lease, fmt.Errorf("revise rows: %w", err)
	}
	return lease, nil
}

// share is what is this loader's: the rows that came from its partitions, whichever product they are of. Its own blocks are
// the only ones that bring new ones, so it knows which have landed; and a product's partitions may be several loaders'.
type share struct {
	topic string
	of    int32 // partitions of the topic
	owned map[int32]bool
}

func (a *Service) share(ctx context.Context) (*share, error) {
	of, err := a.host.IngestPartitions(ctx)
	if err != nil {
		return nil, err
	}
	s := &share{topic: a.config.Topic, of: of, owned: map[int32]bool{}}
	for _, id := range a.ownedPartitions() {
		s.owned[id] = true
	}
	return s, nil
}

// partition is whose owner revises a row: the one that it came from, or its product's own if that is not known. Every row
// has one, also after the topic was made anew with fewer.
func (s *share) partition(seen warehouse.ProductPartition) stream.Partition {
	id := seen.Partition % s.of
	if seen.Partition < 0 {
		id = stream.PartitionOf(seen.Product, s.of)
	}
	return stream.Partition{Topic: s.topic, ID: id}
}

func (s *share) has(seen warehouse.ProductPartition) bool { return s.owned[s.partition(seen).ID] }

// partitions say so to ClickHouse; with all of them, nothing has to be said.
func (s *share) partitions() warehouse.PartitionFilter {
	if len(s.owned) == int(s.of) {
		return warehouse.PartitionFilter{}
	}
	return warehouse.PartitionFilter{IDs: slices.Sorted(maps.Keys(s.owned)), PartitionCount: s.of}
}

// products are those of which there may be rows that are this loader's.
func (s *share) products(all []warehouse.ProductPartition) (names []string) {
	for _, seen := range all {
		if s.has(seen) {
			names = append(names, seen.Product)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// products are those of workspaces, or of all, of which there may be rows that are this loader's.
func (a *Service) products(ctx context.Context, workspaces []string) ([]string, error) {
	all, err := a.lookup.Products(ctx, workspaces)
	if err != nil {
		return nil, err
	}
	s, err := a.share(ctx)
	if err != nil {
		return nil, err
	}
	return s.products(all), nil
}
