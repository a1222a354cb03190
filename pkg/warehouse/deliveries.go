package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// Delivery is a row of events as far as telling resends goes.
type Delivery struct {
	Product, InsertID string
	KeyAt, ReceivedAt int64 // Unix milliseconds
}

type deliveryResult struct {
	product, insertID proto.ColStr
	keyAt, receivedAt proto.ColInt64
}

const deliveryColumns = "product_id AS product, insert_id, toUnixTimestamp64Milli(event_key_at) AS key_at, toUnixTimestamp64Milli(received_at) AS received"

func (r *deliveryResult) columns() proto.Results {
	return proto.Results{{Name: "product", Data: &r.product}, {Name: "insert_id", Data: &r.insertID}, {Name: "key_at", Data: &r.keyAt}, {Name: "received", Data: &r.receivedAt}}
}

// StoredDeliveries finds the stored rows that have one of the insert ids in one of the products.
func (l *Lookup) StoredDeliveries(ctx context.Context, wanted []Delivery) (found []Delivery, err error) {
	var n names
	for i := range wanted {
		n.add([]byte(wanted[i].Product), []byte(wanted[i].InsertID))
	}
	var r deliveryResult
	err = l.of(&n.scopes).read(ctx, "earlier deliveries", "SELECT DISTINCT "+deliveryColumns+` FROM events
		WHERE product_id IN (SELECT scope FROM wanted) AND insert_id IN (SELECT name FROM wanted) AND (product_id, insert_id) IN (SELECT scope, name FROM wanted)`,
		[]ch.ExternalTable{n.table("wanted")}, r.columns(), func(rows int) error {
			for row := range rows {
				found = append(found, Delivery{r.product.Row(row), r.insertID.Row(row), r.keyAt.Row(row), r.receivedAt.Row(row)})
			}
			return nil
		})
	return found, err
}

// RecentDeliveries passes the stored rows that came from a partition within a window to take, in the order in which
// they were received: at most about the last most of them. The window ends with the last.
func (l *Lookup) RecentDeliveries(ctx context.Context, topic string, partition int32, window time.Duration, most int, take func(product, insertID []byte, keyAt, receivedAt int64)) error {
	if err := l.catchUp(ctx); err != nil { // with what the partition's last owner has written
		return err
	}
	var name proto.ColStr
	name.Append(topic)
	tables := []ch.ExternalTable{{Name: "wanted", Data: []proto.InputColumn{{Name: "topic", Data: &name}}}}
	here := fmt.Sprintf("kafka_topic IN (SELECT topic FROM wanted) AND kafka_partition = %d", partition)
	var since proto.ColInt64
	from, last := int64(0), int64(0)
	row := proto.Results{{Name: "received", Data: &since}}
	err := l.read(ctx, "the last delivery", "SELECT toUnixTimestamp64Milli(max(received_at)) AS received FROM events WHERE "+here, tables, row, func(rows int) error {
		if rows > 0 {
			last = max(last, since.Row(0))
		}
		return nil
	})
	if err != nil || last == 0 {
		return err
	}
	from = last - window.Milliseconds()
	recent := func() string {
		return fmt.Sprintf("%s AND received_at >= fromUnixTimestamp64Milli(%d, 'UTC')", here, from)
	}
	query := fmt.Sprintf("SELECT toUnixTimestamp64Milli(min(received_at)) AS received FROM (SELECT received_at FROM events WHERE %s ORDER BY received_at DESC LIMIT %d)", recent(), most)
	err = l.read(ctx, "how far back to remember", query, tables, row, func(rows int) error {
		if rows > 0 {
			from = max(from, since.Row(0))
		}
		return nil
	})
	if err != nil {
		return err
	}
	var r deliveryResult
	query = "SELECT " + deliveryColumns + " FROM events WHERE " + recent() + " ORDER BY received_at, kafka_offset"
	return l.read(ctx, "recent deliveries", query, tables, r.columns(), func(rows int) error {
		for row := range rows {
			take(r.product.RowBytes(row), r.insertID.RowBytes(row), r.keyAt.Row(row), r.receivedAt.Row(row))
		}
		return nil
	})
}
