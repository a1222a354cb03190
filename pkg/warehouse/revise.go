package warehouse

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"
)

// ReviseEvents writes the next revision of stored rows, with the UserID and ConversationID of the list. A row that has
// been replaced since it was read stays as it is. It fails if the lease has expired. The list must be one of
// EventsByMonth.
func (l *Lookup) ReviseEvents(ctx context.Context, list []StoredEvent, lease Lease) error {
	var product, insertID proto.ColStr
	var keyAt proto.ColInt64
	var version proto.ColUInt64
	var user, conversation proto.ColUUID
	for i := range list {
		product.Append(list[i].Product)
		insertID.Append(list[i].InsertID)
		keyAt.Append(list[i].KeyAt)
		version.Append(list[i].Version)
		user.Append(list[i].UserID)
		conversation.Append(list[i].ConversationID)
	}
	return l.revise(ctx, &revision{
		table: "events", columns: namesOfColumns(eventColumns), queryPrefix: revisionPrefix,
		newValues: map[string]string{"user_id": "user", "conversation_id": "conversation"},
		key: `(product_id, event_key_at, insert_id) IN
			(SELECT product, fromUnixTimestamp64Milli(key_at, 'UTC'), insert_id FROM revised)`,
		match: `e.product_id = r.product AND toUnixTimestamp64Milli(e.event_key_at) = r.key_at
			AND e.insert_id = r.insert_id`,
		products: &product,
		revised: []proto.InputColumn{
			input("product", &product), input("key_at", &keyAt), input("insert_id", &insertID),
			input("version", &version), input("user", &user), input("conversation", &conversation),
		},
	}, lease)
}

// ReviseActivities writes the next revision of stored activities, with the UserID of the list, as ReviseEvents does.
// The list must be one of ActivitiesByMonth.
// ActivitiesSince finds them as rows of the writer.
func (l *Lookup) ReviseActivities(ctx context.Context, list []StoredActivity, lease Lease, writer uint64) error {
	var product, conversation, externalID, email proto.ColStr
	var at proto.ColInt64
	var version proto.ColUInt64
	var user proto.ColUUID
	for i := range list {
		product.Append(list[i].Product)
		conversation.Append(list[i].Conversation)
		at.Append(list[i].At)
		externalID.Append(list[i].ExternalUserID)
		email.Append(list[i].Email)
		version.Append(list[i].Version)
		user.Append(list[i].UserID)
	}
	return l.revise(ctx, &revision{
		table: "conversation_activity", columns: namesOfColumns(activityColumns(writer)),
		queryPrefix: activityRevisionPrefix, writer: writer,
		newValues: map[string]string{"user_id": "user"},
		key: `(product_id, activity_at, external_conversation_id, external_user_id, email) IN
			(SELECT product, fromUnixTimestamp64Milli(at, 'UTC'), conversation, external_id, email FROM revised)`,
		match: `e.product_id = r.product AND toUnixTimestamp64Milli(e.activity_at) = r.at
			AND e.external_conversation_id = r.conversation AND e.external_user_id = r.external_id AND e.email = r.email`,
		products: &product,
		revised: []proto.InputColumn{
			input("product", &product), input("at", &at), input("conversation", &conversation),
			input("external_id", &externalID), input("email", &email),
			input("version", &version), input("user", &user),
		},
	}, lease)
}

// The ids of queries that revise rows start with these, for LeaseMayBeActive and ActivityWatermark.
const (
	revisionPrefix         = "millrace-revision-"
	activityRevisionPrefix = revisionPrefix + "activity-"
	idempotentPrefix       = "millrace-insert-" // inserts of an IdempotentBlock
)

// revision describes new versions of stored rows. The external table revised (r) has a row for each stored row (e).
type revision struct {
	table       string
	columns     []string
	queryPrefix string
	writer      uint64            // of a table with that column
	newValues   map[string]string // column of the table: column of revised
	key         string            // condition that finds the rows by the sorting key
	match       string            // condition that joins e and r
	products    *proto.ColStr     // of the rows, to choose shards
	revised     []proto.InputColumn
}

func (r *revision) sql(lease Lease) string {
	values := make([]string, len(r.columns))
	for i, name := range r.columns {
		values[i] = "e." + name
		if value, ok := r.newValues[name]; ok {
			values[i] = "nullIf(r." + value + ", " + noID + ")"
		}
		switch name {
		case "version":
			values[i] = nextVersion
		case "writer":
			values[i] = fmt.Sprintf("toUInt64(%d)", r.writer)
		}
	}
	return fmt.Sprintf(
		`INSERT INTO %[1]s (%[2]s) SELECT %[3]s
		FROM (SELECT * FROM %[1]s FINAL WHERE %[4]s) AS e
		INNER JOIN revised AS r ON %[5]s AND e.version = r.version
		WHERE throwIf(now64(6) > fromUnixTimestamp64Micro(%[6]d, 'UTC'), 'the lease of this revision has expired') = 0`,
		r.table,
		strings.Join(r.columns, ", "),
		strings.Join(values, ", "),
		r.key,
		r.match,
		time.Time(lease).UnixMicro(),
	)
}

// nextVersion is the version of a row's next revision. The count of revisions stops at its maximum.
var nextVersion = fmt.Sprintf("if(e.version < %d, e.version + %d, e.version)",
	uint64(1<<64-1)-1<<versionBits+1, uint64(1)<<versionBits)

func (l *Lookup) revise(ctx context.Context, r *revision, lease Lease) error {
	err := l.on(r.products).eachShard(ctx, func(p *pool) error {
		_, err := p.do(ctx, ch.Query{
			QueryID: r.queryPrefix + uuid.NewString(), Body: r.sql(lease),
			ExternalTables: []ch.ExternalTable{externalTable("revised", r.revised...)},
			Settings: []ch.Setting{
				{Key: "max_partitions_per_insert_block", Value: strconv.Itoa(maxMonthsPerInsert)},
				{Key: "insert_deduplicate", Value: "0"},
				{Key: "do_not_merge_across_partitions_select_final", Value: "1"},
			},
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("revise %d rows of %s: %w", r.products.Rows(), r.table, err)
	}
	return nil
}
