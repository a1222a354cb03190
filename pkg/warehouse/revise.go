package warehouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"
)

// Lease is until when, by ClickHouse's clock, a revision may begin.
type Lease time.Time

// leaseDuration is how long a Lease lasts.
func (l *Lookup) leaseDuration() time.Duration { return l.VisibilityDelay() / 2 }

// AcquireLease starts one. Who asks for it, and then makes sure that the rows are still his to revise, cannot be one who has
// lost them long ago when the revision begins, however long he was held up in between.
func (l *Lookup) AcquireLease(ctx context.Context) (Lease, error) {
	settled, err := l.SafeTime(ctx)
	return Lease(settled.Add(l.VisibilityDelay() + l.leaseDuration())), err
}

// ReviseEvents writes the rows once more, with UserID and ConversationID as they are in the list, as the next
// revision of what was read: one that has been replaced meanwhile stays. It fails if the lease has run out.
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
	r := revision{
		table: "events", columns: NewEvents().names, prefix: revisionPrefix,
		derived: map[string]string{"user_id": "user", "conversation_id": "conversation"},
		key:     "(product_id, event_key_at, insert_id) IN (SELECT product, fromUnixTimestamp64Milli(key_at, 'UTC'), insert_id FROM revised)",
		match:   "e.product_id = r.product AND toUnixTimestamp64Milli(e.event_key_at) = r.key_at AND e.insert_id = r.insert_id",
	}
	return l.revise(ctx, &r, lease, len(list), []proto.InputColumn{
		{Name: "product", Data: &product}, {Name: "key_at", Data: &keyAt}, {Name: "insert_id", Data: &insertID},
		{Name: "version", Data: &version}, {Name: "user", Data: &user}, {Name: "conversation", Data: &conversation},
	})
}

// ReviseActivities is ReviseEvents for activities and their users. Others find them as this writer's: see
// ActivitiesSince.
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
	r := revision{
		table: "conversation_activity", columns: NewActivities(writer).names, prefix: activityRevisionPrefix,
		derived: map[string]string{"user_id": "user"}, writer: writer,
		key: "(product_id, activity_at, external_conversation_id, external_user_id, email) IN " +
			"(SELECT product, fromUnixTimestamp64Milli(at, 'UTC'), conversation, external_id, email FROM revised)",
		match: "e.product_id = r.product AND toUnixTimestamp64Milli(e.activity_at) = r.at AND e.external_conversation_id = r.conversation " +
			"AND e.external_user_id = r.external_id AND e.email = r.email",
	}
	return l.revise(ctx, &r, lease, len(list), []proto.InputColumn{
		{Name: "product", Data: &product}, {Name: "at", Data: &at}, {Name: "conversation", Data: &conversation},
		{Name: "external_id", Data: &externalID}, {Name: "email", Data: &email}, {Name: "version", Data: &version}, {Name: "user", Data: &user},
	})
}

// revision is how rows of a table are written once more.
type revision struct {
	table   string
	columns []string
	prefix  string            // of the query's id
	writer  uint64            // of tables that say
	derived map[string]string // the columns that change, and where in the list of what is revised they are
	key     string            // finds the rows by their sorting key
	match   string            // pairs each with what becomes of it
}

// revisionPrefix marks queries that revise rows, for Leased.
const (
	revisionPrefix         = "millrace-revision-"
	activityRevisionPrefix = revisionPrefix + "activity-" // and for ActivityWatermark
)

// LeaseMayBeActive tells whether a revision may still come of a Lease that was started before a time, by ClickHouse's clock: it has
// not run out, or what began under it is still being written.
func (l *Lookup) LeaseMayBeActive(ctx context.Context, before time.Time) (bool, error) {
	var leased proto.ColUInt8
	end := before.Add(l.leaseDuration()).UnixMicro()
	query := fmt.Sprintf(`SELECT toUInt8(toUnixTimestamp64Micro(now64(6)) <= %[1]d OR count() > 0) AS leased FROM %[3]s
		WHERE startsWith(query_id, '%[2]s') AND toUnixTimestamp64Micro(now64(6)) - elapsed * 1e6 <= %[1]d`, end, revisionPrefix, l.processes())
	answer := false
	err := l.read(ctx, "revisions under way", query, nil, proto.Results{{Name: "leased", Data: &leased}}, func(rows int) error {
		for row := range rows {
			answer = answer || leased.Row(row) != 0
		}
		return nil
	})
	return answer || err != nil, err
}

// nextVersion is the version of a row's next revision.
var nextVersion = fmt.Sprintf("if(e.version < %d, e.version + %d, e.version)", uint64(1<<64-1)-1<<versionBits+1, uint64(1)<<versionBits)

func (l *Lookup) revise(ctx context.Context, r *revision, lease Lease, rows int, revised []proto.InputColumn) error {
	values := make([]string, len(r.columns))
	for i, name := range r.columns {
		values[i] = "e." + name
		if derived, ok := r.derived[name]; ok {
			values[i] = "nullIf(r." + derived + ", " + noID + ")"
		}
		switch name {
		case "version":
			values[i] = nextVersion
		case "writer":
			values[i] = fmt.Sprintf("toUInt64(%d)", r.writer)
		}
	}
	query := "INSERT INTO " + r.table + " (" + strings.Join(r.columns, ", ") + ") SELECT " + strings.Join(values, ", ") +
		" FROM (SELECT * FROM " + r.table + " FINAL WHERE " + r.key + ") AS e INNER JOIN revised AS r ON " + r.match + " AND e.version = r.version" +
		fmt.Sprintf(" WHERE throwIf(now64(6) > fromUnixTimestamp64Micro(%d, 'UTC'), 'the lease of this revision has run out') = 0", time.Time(lease).UnixMicro())
	err := l.of(revised[0].Data.(*proto.ColStr)).each(ctx, func(p *pool) error {
		_, err := p.do(ctx, ch.Query{QueryID: r.prefix + uuid.NewString(), Body: query, ExternalTables: []ch.ExternalTable{{Name: "revised", Data: revised}}, Settings: []ch.Setting{
			{Key: "max_partitions_per_insert_block", Value: "0"},
			{Key: "insert_deduplicate", Value: "0"},
			{Key: "do_not_merge_across_partitions_select_final", Value: "1"},
		}})
		return err
	})
	if err != nil {
		return fmt.Errorf("revise %d rows of %s: %w", rows, r.table, err)
	}
	return nil
}
