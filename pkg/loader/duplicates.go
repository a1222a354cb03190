package loader

import (
	"context"
	"time"

	"github.com/millrace/millrace/pkg/dedup"
	"github.com/millrace/millrace/pkg/warehouse"
)

// duplicateFilter keeps a lane's messages that come again with another timestamp from becoming second rows: the table cannot
// tell, for the time is in its key. An index in memory suspects, ClickHouse and the chunk itself are asked, and of the
// deliveries of one insert id within the window the first stays.
type duplicateFilter struct {
	lane  *partitionWorker
	index *dedup.Index // nil until the first chunk
}

// dropDuplicates takes the rows out of a chunk that are deliveries of an event that has a row.
func (l *partitionWorker) dropDuplicates(c *insertBatch) error {
	f, ok := c.rowBuilder.(*eventBuilder)
	if !ok || f.rows == nil || f.rows.Rows() == 0 || l.service.config.DedupWindow == 0 {
		return nil
	}
	r := &l.duplicates
	if r.index == nil {
		if err := l.retry("dedup_fill", r.fill); err != nil {
			return err
		}
	}
	suspects := r.suspects(f)
	l.service.metrics.observeDedup(l.Partition, r.index)
	if len(suspects) == 0 {
		return nil
	}
	return l.retry("deliveries_lookup", func(ctx context.Context) error {
		marked, dropped, err := r.verify(ctx, f.rows, suspects)
		if err == nil && dropped > 0 {
			f.rows.RemoveRows(marked)
			l.service.metrics.duplicates.Add(float64(dropped))
		}
		return err
	})
}

// fill makes the index from what is stored. It is as good about a range of offsets that comes again as about new
// ones: what was stored of it has its own key, and is no suspect.
func (r *duplicateFilter) fill(ctx context.Context) error {
	config := &r.lane.service.config
	partitions, err := r.lane.service.deps.Stream.IngestPartitions(ctx)
	if err != nil {
		return err
	}
	most := max(config.DedupIDs/max(int(partitions), 1), 1)
	index, err := dedup.New(dedup.Config{Window: config.DedupWindow, MaxIDs: most})
	if err != nil {
		return err
	}
	err = r.lane.service.lookup.RecentDeliveries(ctx, r.lane.Topic, r.lane.ID, config.DedupWindow, most, func(product, insertID []byte, keyAt, receivedAt int64) {
		index.Add(product, insertID, keyAt, receivedAt)
	})
	if err == nil {
		r.index = index
	}
	return err
}

// suspects are the ids of rows that may have been delivered before with another key: all rows of each, in order.
// Those of a replay that are stored are none, and need no second look: it would be for nearly all of an old one.
func (r *duplicateFilter) suspects(f *eventBuilder) map[warehouse.Delivery][]suspect {
	var suspects map[warehouse.Delivery][]suspect
	rows := f.rows
	for k := rows.KeyRows(); k.Next(); {
		verdict := r.index.Add(k.Product, k.InsertID, k.KeyAt, k.ReceivedAt)
		if f.stored != nil && f.stored[k.Row] {
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
	for k := rows.KeyRows(); k.Next(); {
		id := warehouse.Delivery{Product: string(k.Product), InsertID: string(k.InsertID)}
		if list, suspected := suspects[id]; suspected {
			suspects[id] = append(list, suspect{k.Row, k.KeyAt, k.ReceivedAt})
		}
	}
	return suspects
}

// suspect is a row whose id may have been delivered before.
type suspect struct {
	row               int
	keyAt, receivedAt int64
}

// verify marks the rows to drop: those whose id has a row with another key, and none with theirs.
func (r *duplicateFilter) verify(ctx context.Context, rows *warehouse.Events, suspects map[warehouse.Delivery][]suspect) (marked []bool, dropped int, err error) {
	wanted := make([]warehouse.Delivery, 0, len(suspects))
	for id := range suspects {
		wanted = append(wanted, id)
	}
	found, err := r.lane.service.lookup.StoredDeliveries(ctx, wanted)
	if err != nil {
		return nil, 0, err
	}
	stored := map[warehouse.Delivery][]suspect{}
	for _, d := range found {
		id := warehouse.Delivery{Product: d.Product, InsertID: d.InsertID}
		stored[id] = append(stored[id], suspect{-1, d.KeyAt, d.ReceivedAt})
	}
	marked = make([]bool, rows.Rows())
	for id, list := range suspects {
		before := stored[id]
		for _, s := range list {
			if isDuplicate(s, before, r.lane.service.config.DedupWindow) {
				marked[s.row] = true
				dropped++
				continue
			}
			before = append(before, s)
			r.index.Admit([]byte(id.Product), []byte(id.InsertID), s.keyAt, s.receivedAt)
		}
	}
	return marked, dropped, nil
}

// isDuplicate tells whether an event has a row already, from those stored before.
func isDuplicate(s suspect, before []suspect, window time.Duration) bool {
	another := false
	for _, b := range before {
		if b.keyAt == s.keyAt {
			return false // the table makes one of them
		}
		apart := s.receivedAt - b.receivedAt
		another = another || max(apart, -apart) < window.Milliseconds()
	}
	return another
}
