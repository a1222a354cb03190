package warehouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// revisionsAhead is the number of revisions that a replayed row is ahead of the row it replaces. A concurrent revision
// of the stored row is one ahead, and must not tie with the replayed row.
const revisionsAhead = 4

// Supersede gives the rows of a block that are already stored versions that supersede the stored ones, and reports
// which rows those are. Two kinds of rows do not supersede: a later delivery than the stored one, because the first
// delivery counts, and a row that the same record made, which keeps the stored version. So a block that is rebuilt
// after a crash is the same block.
func (l *Lookup) Supersede(
	ctx context.Context, b *Events, topic string, partition int32,
) (stored []bool, err error) {
	products, tables := b.keyTables(topic)
	q := &query{what: "rows to supersede", tables: tables, sql: fmt.Sprintf(`SELECT
			w.row AS row, max(e.version) AS highest,
			toUInt8(argMax(e.kafka_partition = %d AND e.kafka_offset = w.offset
				AND e.kafka_topic IN (SELECT topic FROM topics), e.version)) AS same_record
		FROM (SELECT product_id, event_key_at, insert_id, version, kafka_topic, kafka_partition, kafka_offset
			FROM events WHERE (product_id, event_key_at, insert_id) IN
				(SELECT product, fromUnixTimestamp64Milli(key_at, 'UTC'), insert_id FROM wanted)) AS e
		INNER JOIN wanted AS w ON e.product_id = w.product AND toUnixTimestamp64Milli(e.event_key_at) = w.key_at
			AND e.insert_id = w.insert_id
		GROUP BY w.row`, partition)}
	row, version := result[proto.ColUInt64](q, "row"), result[proto.ColUInt64](q, "highest")
	sameRecord := result[proto.ColUInt8](q, "same_record")
	stored = make([]bool, b.Rows())
	versions := make([]uint64, b.Rows()) // set in the block when all are known, so that a failed call changes nothing
	err = l.on(products).read(ctx, q, func(rows int) error {
		for i := range rows {
			at := int(row.Row(i))
			stored[at] = true
			versions[at] = supersedingVersion(uint64(b.version.Int64(at)), version.Row(i), sameRecord.Row(i) != 0)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for at, known := range stored {
		if known {
			b.version.Set64(at, versions[at])
		}
	}
	return stored, nil
}

// keyTables returns the external tables with the sorting keys of the rows and the topic.
func (b *Events) keyTables(topic string) (products *proto.ColStr, tables []ch.ExternalTable) {
	var row, offset proto.ColUInt64
	var product, insertID proto.ColStr
	var keyAt proto.ColInt64
	for k := b.KeyRows(); k.Next(); {
		row.Append(uint64(k.Row))
		offset.Append(uint64(b.offset.Int64(k.Row)))
		product.AppendBytes(k.Product)
		insertID.AppendBytes(k.InsertID)
		keyAt.Append(k.KeyAt)
	}
	return &product, []ch.ExternalTable{
		externalTable("wanted", input("row", &row), input("product", &product), input("key_at", &keyAt),
			input("insert_id", &insertID), input("offset", &offset)),
		externalTable("topics", input("topic", stringsOf([]string{topic}))),
	}
}

// supersedingVersion returns the version of a row whose key is stored; stored is the highest stored version.
func supersedingVersion(version, stored uint64, sameRecord bool) uint64 {
	const delivery, lastRevision = 1<<versionBits - 1, 1<<(64-versionBits) - 1
	switch {
	case sameRecord:
		return stored
	case version&delivery < stored&delivery:
		return version
	}
	return min(stored>>versionBits+revisionsAhead, lastRevision)<<versionBits | version&delivery
}
