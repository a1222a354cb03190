package loader

import (
	"context"
	"time"

	"github.com/millrace/millrace/pkg/dedup"
	"github.com/millrace/millrace/pkg/warehouse"
)

// duplicateFilter compares the events of a batch with what is stored of the same messages: a replay supersedes it, and
// a duplicate with a different timestamp is dropped. ClickHouse cannot recognise such a duplicate, because the
// timestamp is in the sorting key. An index in memory finds suspects; ClickHouse and the batch itself confirm them. Of
// the deliveries of one insert id within the window, the first stays.
type duplicateFilter struct {
	*scope
	index *dedup.Index // nil until the first batch
}

// supersede raises the versions of replayed events above what is stored of them, including re-attributed rows: a replay
// applies the present mapping. It does so for all events of a batch with a replayed record. Others have no stored row
// as a rule; where they have one, the same rule decides.
func (d *duplicateFilter) supersede(b *insertBatch) error {
	events := b.events()
	if events == nil || !b.replayed {
		return nil
	}
	return d.retry("replay_lookup", func(ctx context.Context) (err error) {
		events.stored, err = d.lookup.Supersede(ctx, events.rows, d.partition.Topic, d.partition.ID)
		return err
	})
}

// drop removes events from a batch that were delivered before with a different timestamp.
func (d *duplicateFilter) drop(b *insertBatch) error {
	events := b.events()
	if events == nil || d.config.DedupWindow == 0 {
		return nil
	}
	if d.index == nil {
		if err := d.retry("dedup_fill", d.fill); err != nil {
			return err
		}
	}
	suspects := d.suspects(events)
	d.metrics.observeDedup(d.partition, d.index)
	if len(suspects) == 0 {
		return nil
	}
	return d.retry("deliveries_lookup", func(ctx context.Context) error {
		duplicates, n, err := d.verify(ctx, events.rows, suspects)
		if err == nil && n > 0 {
			events.rows.RemoveRows(duplicates)
			d.metrics.duplicates.Add(float64(n))
		}
		return err
	})
}

// fill makes the index from the stored events. Events of a range of offsets that is read again are no suspects: they
// have the same sorting key as the stored ones.
func (d *duplicateFilter) fill(ctx context.Context) error {
	partitions, err := d.deps.Stream.IngestPartitions(ctx)
	if err != nil {
		return err
	}
	maxIDs := max(d.config.DedupIDs/max(int(partitions), 1), 1)
	index, err := dedup.New(dedup.Config{Window: d.config.DedupWindow, MaxIDs: maxIDs})
	if err != nil {
		return err
	}
	add := func(product, insertID []byte, keyAt, receivedAt int64) {
		index.Add(product, insertID, keyAt, receivedAt)
	}
	err = d.lookup.RecentDeliveries(ctx, d.partition.Topic, d.partition.ID, d.config.DedupWindow, maxIDs, add)
	if err == nil {
		d.index = index
	}
	return err
}

// suspect is an event whose insert id may have been delivered before.
type suspect struct {
	row               int
	keyAt, receivedAt int64
}

// suspects adds the events to the index. It returns the insert ids that may have been delivered before with another
// sorting key, and for each all events in order. Replayed events that are stored are no suspects: nearly all of an old
// replay would be looked up for nothing.
func (d *duplicateFilter) suspects(events *eventBuilder) map[warehouse.Delivery][]suspect {
	var suspects map[warehouse.Delivery][]suspect
	for k := events.rows.KeyRows(); k.Next(); {
		verdict := d.index.Add(k.Product, k.InsertID, k.KeyAt, k.ReceivedAt)
		if events.stored != nil && events.stored[k.Row] {
			continue
		}
		switch verdict {
		case dedup.Suspect, dedup.Old:
			if suspects == nil {
				suspects = map[warehouse.Delivery][]suspect{}
			}
			suspects[warehouse.Delivery{Product: string(k.Product), InsertID: string(k.InsertID)}] = nil
		}
	}
	if suspects == nil {
		return nil
	}
	for k := events.rows.KeyRows(); k.Next(); {
		id := warehouse.Delivery{Product: string(k.Product), InsertID: string(k.InsertID)}
		if list, suspected := suspects[id]; suspected {
			suspects[id] = append(list, suspect{k.Row, k.KeyAt, k.ReceivedAt})
		}
	}
	return suspects
}

// verify marks the rows to drop, and returns their number: rows whose insert id is stored with another sorting key, but
// not with theirs.
func (d *duplicateFilter) verify(
	ctx context.Context, rows *warehouse.Events, suspects map[warehouse.Delivery][]suspect,
) (duplicates []bool, n int, err error) {
	wanted := make([]warehouse.Delivery, 0, len(suspects))
	for id := range suspects {
		wanted = append(wanted, id)
	}
	found, err := d.lookup.StoredDeliveries(ctx, wanted)
	if err != nil {
		return nil, 0, err
	}
	stored := map[warehouse.Delivery][]suspect{}
	for _, f := range found {
		id := warehouse.Delivery{Product: f.Product, InsertID: f.InsertID}
		stored[id] = append(stored[id], suspect{-1, f.KeyAt, f.ReceivedAt})
	}
	duplicates = make([]bool, rows.Rows())
	for id, list := range suspects {
		before := stored[id]
		for _, s := range list {
			if isDuplicate(s, before, d.config.DedupWindow) {
				duplicates[s.row] = true
				n++
				continue
			}
			before = append(before, s)
			d.index.Admit([]byte(id.Product), []byte(id.InsertID), s.keyAt, s.receivedAt)
		}
	}
	return duplicates, n, nil
}

// isDuplicate tells whether an event was delivered before, within the window and with another sorting key. Rows with
// the same sorting key are left to ClickHouse, which merges them.
func isDuplicate(s suspect, before []suspect, window time.Duration) bool {
	another := false
	for _, b := range before {
		if b.keyAt == s.keyAt {
			return false
		}
		apart := s.receivedAt - b.receivedAt
		another = another || max(apart, -apart) < window.Milliseconds()
	}
	return another
}
