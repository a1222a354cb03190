package warehouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// replaySteps is how many revisions a replayed row is ahead of what it replaces. Who re-attributes the stored row
// between our look and our insert writes the next one, and must not tie with us.
const replaySteps = 4

// Supersede gives the rows of a block that are stored already a version that wins over what is stored, and tells which
// those are. Two do not: rows that a later delivery than the stored one would make, for the first counts; and rows
// that this very record has made, which keep their version, so that a block that is made anew after a crash is the
// same block.
func (l *Lookup) Supersede(ctx context.Context, b *Events, topic string, partition int32) (stored []bool, err error) {
	var row, version proto.ColUInt64
	var own proto.ColUInt8
	columns := proto.Results{{Name: "row", Data: &row}, {Name: "highest", Data: &version}, {Name: "own", Data: &own}}
	query := fmt.Sprintf(`SELECT w.row AS row, max(e.version) AS highest,
			toUInt8(argMax(e.kafka_partition = %d AND e.kafka_offset = w.offset AND e.kafka_topic IN (SELECT topic FROM here), e.version)) AS own
		FROM (SELECT product_id, event_key_at, insert_id, version, kafka_topic, kafka_partition, kafka_offset FROM events
			WHERE (product_id, event_key_at, insert_id) IN (SELECT product, fromUnixTimestamp64Milli(key_at, 'UTC'), insert_id FROM wanted)) AS e
		INNER JOIN wanted AS w ON e.product_id = w.product AND toUnixTimestamp64Milli(e.event_key_at) = w.key_at AND e.insert_id = w.insert_id
		GROUP BY w.row`, partition)
	stored = make([]bool, b.Rows())
	versions := make([]uint64, b.Rows()) // set when all are known: what fails in between is asked again
	products, tables := b.wanted(topic)
	err = l.of(products).read(ctx, "the rows that a replay replaces", query, tables, columns, func(rows int) error {
		for i := range rows {
			at := int(row.Row(i))
			stored[at] = true
			versions[at] = outrank(uint64(b.version.Int64(at)), version.Row(i), own.Row(i) != 0)
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

func (b *Events) wanted(topic string) (products *proto.ColStr, tables []ch.ExternalTable) {
	var row, offset proto.ColUInt64
	var product, insertID, here proto.ColStr
	var keyAt proto.ColInt64
	for k := b.KeyRows(); k.Next(); {
		row.Append(uint64(k.Row))
		offset.Append(uint64(b.offset.Int64(k.Row)))
		product.AppendBytes(k.Product)
		insertID.AppendBytes(k.InsertID)
		keyAt.Append(k.KeyAt)
	}
	here.Append(topic)
	return &product, []ch.ExternalTable{
		{Name: "wanted", Data: []proto.InputColumn{{Name: "row", Data: &row}, {Name: "product", Data: &product}, {Name: "key_at", Data: &keyAt}, {Name: "insert_id", Data: &insertID}, {Name: "offset", Data: &offset}}},
		{Name: "here", Data: []proto.InputColumn{{Name: "topic", Data: &here}}},
	}
}

// outrank is the version of a row whose key has a row of another version: the highest of those stored. own tells that
// the stored one was made by the same record.
func outrank(version, stored uint64, own bool) uint64 {
	const delivery, lastRevision = 1<<versionBits - 1, 1<<(64-versionBits) - 1
	switch {
	case own:
		return stored
	case version&delivery < stored&delivery:
		return version
	}
	return min(stored>>versionBits+replaySteps, lastRevision)<<versionBits | version&delivery
}
