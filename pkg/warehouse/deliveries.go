package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// Delivery is what deduplication needs of a row of events.
type Delivery struct {
	Product, InsertID string
	KeyAt, ReceivedAt int64 // Unix milliseconds
}

// deliveryQuery is a query that starts with storedDeliveries.
type deliveryQuery struct {
	query
	product, insertID *proto.ColStr
	keyAt, receivedAt *proto.ColInt64
}

const storedDeliveries = ` product_id AS product, insert_id, toUnixTimestamp64Milli(event_key_at) AS key_at,
	toUnixTimestamp64Milli(received_at) AS received FROM events `

func newDeliveryQuery(what, sql string, tables ...ch.ExternalTable) *deliveryQuery {
	q := &deliveryQuery{query: query{what: what, sql: sql, tables: tables}}
	q.product, q.insertID = result[proto.ColStr](&q.query, "product"), result[proto.ColStr](&q.query, "insert_id")
	q.keyAt, q.receivedAt = result[proto.ColInt64](&q.query, "key_at"), result[proto.ColInt64](&q.query, "received")
	return q
}

// StoredDeliveries returns the stored rows that have one of the insert ids in its product.
func (l *Lookup) StoredDeliveries(ctx context.Context, wanted []Delivery) ([]Delivery, error) {
	var n nameTable
	for i := range wanted {
		n.add([]byte(wanted[i].Product), []byte(wanted[i].InsertID))
	}
	q := newDeliveryQuery("earlier deliveries", "SELECT DISTINCT"+storedDeliveries+`
		WHERE product_id IN (SELECT scope FROM wanted) AND insert_id IN (SELECT name FROM wanted)
			AND (product_id, insert_id) IN (SELECT scope, name FROM wanted)`, n.as("wanted"))
	return collect(ctx, l.on(&n.scopes), &q.query, func(row int) Delivery {
		return Delivery{q.product.Row(row), q.insertID.Row(row), q.keyAt.Row(row), q.receivedAt.Row(row)}
	})
}

// RecentDeliveries passes the stored rows of a partition to take, in the order of receipt: those of the window before
// the last one, and at most about limit of them.
func (l *Lookup) RecentDeliveries(
	ctx context.Context, topic string, partition int32, window time.Duration, limit int,
	take func(product, insertID []byte, keyAt, receivedAt int64),
) error {
	if err := l.syncReplicas(ctx); err != nil { // for the rows of the partition's previous owner
		return err
	}
	topics := externalTable("wanted", input("topic", stringsOf([]string{topic})))
	ofPartition := fmt.Sprintf("kafka_topic IN (SELECT topic FROM wanted) AND kafka_partition = %d", partition)
	last, err := l.receivedAt(ctx, "max(received_at) AS at FROM events WHERE "+ofPartition, topics)
	if err != nil || last == 0 {
		return err
	}
	from := last - window.Milliseconds()
	where := func() string { return ofPartition + " AND received_at >= " + millisecondsSQL(from) }
	limited, err := l.receivedAt(ctx, fmt.Sprintf(`min(received_at) AS at FROM
		(SELECT received_at FROM events WHERE %s ORDER BY received_at DESC LIMIT %d)`, where(), limit), topics)
	if err != nil {
		return err
	}
	from = max(from, limited)
	q := newDeliveryQuery("recent deliveries",
		"SELECT"+storedDeliveries+"WHERE "+where()+" ORDER BY received_at, kafka_offset", topics)
	return l.read(ctx, &q.query, func(rows int) error {
		for row := range rows {
			take(q.product.RowBytes(row), q.insertID.RowBytes(row), q.keyAt.Row(row), q.receivedAt.Row(row))
		}
		return nil
	})
}

// receivedAt returns a time in Unix milliseconds: the greatest of the shards' answers.
func (l *Lookup) receivedAt(ctx context.Context, of string, tables ...ch.ExternalTable) (greatest int64, err error) {
	q := &query{what: "a time of receipt", sql: "SELECT toUnixTimestamp64Milli(at) AS received FROM (SELECT " + of + ")"}
	q.tables = tables
	received := result[proto.ColInt64](q, "received")
	_, err = collect(ctx, l, q, func(row int) int64 {
		greatest = max(greatest, received.Row(row))
		return greatest
	})
	return greatest, err
}
