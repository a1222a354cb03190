package warehouse

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/millrace/millrace/pkg/identity"
)

// AffectedRows selects stored rows whose user or conversation may have changed. A row matches if it is of one of the
// products and partitions and if one of the other conditions holds.
type AffectedRows struct {
	Products   []string
	Partitions PartitionFilter

	ExternalIDs       []ExpectedUser               // the row has the external id and another user
	Addresses         []ExpectedUser               // the row has the address and another user
	Users             []identity.ID                // the row has the user
	Conversations     []ConversationName           // the row names the conversation
	UserSpans         map[ProductUser]Span         // the row is of the user and in the span
	ConversationSpans map[ProductConversation]Span // the row has the conversation by look-back and is in the span
}

// Span is a range of time with both ends included, in Unix milliseconds.
type Span = [2]int64

// ProductConversation is a conversation of a product.
type ProductConversation struct {
	Product string
	ID      identity.ID
}

// PartitionFilter selects rows by the partition of their record. The zero value selects all. Rows without a partition
// always match.
type PartitionFilter struct {
	IDs            []int32
	PartitionCount int32 // of the topic; a row of a partition beyond it counts as of one modulo the count
}

func (p *PartitionFilter) condition() string {
	if p.IDs == nil {
		return "1"
	}
	ids := make([]string, len(p.IDs))
	for i, id := range p.IDs {
		ids[i] = strconv.Itoa(int(id))
	}
	return fmt.Sprintf(
		"(kafka_partition < 0 OR kafka_partition %% %d IN (%s))",
		p.PartitionCount,
		strings.Join(ids, ", "),
	)
}

// ExpectedUser is an external id or an address, and the user it resolves to, or the zero id.
type ExpectedUser struct {
	identity.Name
	User identity.ID
}

// StoredEvent is what attribution needs of a row of events.
type StoredEvent struct {
	Workspace, Product, InsertID string
	KeyAt, EventAt               int64
	Version                      uint64
	ExternalUserID, Email        string      // "" for null
	Conversation                 string      // external id
	UserID, ConversationID       identity.ID // zero for null
	Partition                    int32
}

// ProductPartition returns where the row is from.
func (e *StoredEvent) ProductPartition() ProductPartition {
	return ProductPartition{e.Workspace, e.Product, e.Partition}
}

// AffectedEvents passes the selected rows of events to take, in parts. take may use the Lookup. A row may come more
// than once.
func (l *Lookup) AffectedEvents(ctx context.Context, a *AffectedRows, take func([]StoredEvent) error) error {
	l = l.on(stringsOf(a.Products))
	if users := a.userCondition("lower(ifNull(user_email, ''))"); users != "" {
		if err := l.storedEvents(ctx, users, a, a.userTables(), take); err != nil {
			return err
		}
	}
	if len(a.Conversations) > 0 {
		named := tableOfConversations(a.Conversations).as("named")
		const condition = "(product_id, ifNull(external_conversation_id, '')) IN (SELECT scope, name FROM named)"
		if err := l.storedEvents(ctx, condition, a, []ch.ExternalTable{named}, take); err != nil {
			return err
		}
	}
	if len(a.UserSpans)+len(a.ConversationSpans) == 0 {
		return nil
	}
	return l.storedEvents(ctx, a.spanCondition(), a, a.spanTables(), take)
}

// userCondition selects rows by users, external ids and addresses; email is the expression for a row's address. Rows
// that already have the expected user are left out: these are most rows of a user who has just become known.
func (a *AffectedRows) userCondition(email string) string {
	const user = "ifNull(user_id, " + noID + ")"
	var conditions []string
	unexpected := func(column, table string) {
		conditions = append(conditions, fmt.Sprintf(`(workspace_id, %[1]s) IN (SELECT scope, name FROM %[2]s)
			AND (workspace_id, %[1]s, %[3]s) NOT IN (SELECT scope, name, user FROM %[2]s)`, column, table, user))
	}
	if len(a.ExternalIDs) > 0 {
		unexpected("ifNull(external_user_id, '')", "external_ids")
	}
	if len(a.Addresses) > 0 {
		unexpected(email, "addresses")
		// Go and ClickHouse differ in the lower case of some characters that are not ASCII.
		conditions = append(conditions, "match("+email+", '[^\\x00-\\x7F]')")
	}
	if len(a.Users) > 0 {
		conditions = append(conditions, user+" IN (SELECT id FROM users)")
	}
	return strings.Join(conditions, " OR ")
}

func (a *AffectedRows) userTables() (tables []ch.ExternalTable) {
	if len(a.ExternalIDs) > 0 {
		tables = append(tables, expectedTable("external_ids", a.ExternalIDs))
	}
	if len(a.Addresses) > 0 {
		tables = append(tables, expectedTable("addresses", a.Addresses))
	}
	if len(a.Users) > 0 {
		var users proto.ColUUID
		users.AppendArr(a.Users)
		tables = append(tables, externalTable("users", input("id", &users)))
	}
	return tables
}

func expectedTable(name string, list []ExpectedUser) ch.ExternalTable {
	var n nameTable
	var users proto.ColUUID
	for i := range list {
		n.add(list[i].Workspace, list[i].Name.Name)
		users.Append(list[i].User)
	}
	t := n.as(name)
	t.Data = append(t.Data, input("user", &users))
	return t
}

// spanCondition selects rows by spans. It bounds the time in the sorting key too, so that other rows are not read.
func (a *AffectedRows) spanCondition() string {
	from, to := int64(latestTime), int64(earliestTime)
	for _, spans := range []iter.Seq[Span]{maps.Values(a.UserSpans), maps.Values(a.ConversationSpans)} {
		for span := range spans {
			from, to = min(from, clampTime(span[0])), max(to, clampTime(span[1]))
		}
	}
	between := " BETWEEN " + millisecondsSQL(from) + " AND " + millisecondsSQL(to)
	matches := "(product_id, ifNull(user_id, " + noID + ")) IN (SELECT product, id FROM user_spans)"
	if len(a.ConversationSpans) > 0 {
		matches = "(" + matches + " OR (product_id, ifNull(conversation_id, " + noID +
			")) IN (SELECT product, id FROM conversation_spans))"
	}
	return "(event_key_at" + between + " OR event_key_at = " + millisecondsSQL(0) + ") AND event_at" + between +
		" AND external_conversation_id IS NULL AND " + matches
}

func (a *AffectedRows) spanTables() []ch.ExternalTable {
	var users, conversations idTable
	for u := range a.UserSpans {
		users.add(u.Product, u.User)
	}
	for c := range a.ConversationSpans {
		conversations.add(c.Product, c.ID)
	}
	return []ch.ExternalTable{users.as("user_spans"), conversations.as("conversation_spans")}
}

// idTable is an external table of ids in products.
type idTable struct {
	products proto.ColStr
	ids      proto.ColUUID
}

func (t *idTable) add(product string, id identity.ID) {
	t.products.Append(product)
	t.ids.Append(id)
}

func (t *idTable) as(name string) ch.ExternalTable {
	return externalTable(name, input("product", &t.products), input("id", &t.ids))
}

// productTable is the external table of a's products.
func (a *AffectedRows) productTable() ch.ExternalTable {
	return externalTable("wanted", input("product", stringsOf(a.Products)))
}

// storedEvents finds the keys of rows without FINAL, which would read every column of every row, and then reads those
// rows with FINAL. Partitions are compared before and after FINAL: only the version that stays counts.
func (l *Lookup) storedEvents(
	ctx context.Context, condition string, a *AffectedRows, tables []ch.ExternalTable, take func([]StoredEvent) error,
) error {
	q := &query{what: "events that may have another user", tables: append(tables, a.productTable())}
	q.sql = `SELECT workspace_id AS workspace, product_id AS product, insert_id,
			toUnixTimestamp64Milli(event_key_at) AS key_at, toUnixTimestamp64Milli(event_at) AS at, version,
			ifNull(external_user_id, '') AS external_id, ifNull(user_email, '') AS address,
			ifNull(external_conversation_id, '') AS conversation,
			ifNull(user_id, ` + noID + `) AS user, ifNull(conversation_id, ` + noID + `) AS conversation_uuid,
			kafka_partition AS partition
		FROM events FINAL WHERE (product_id, event_key_at, insert_id) IN
			(SELECT product_id, event_key_at, insert_id FROM events
				WHERE product_id IN (SELECT product FROM wanted) AND ` + a.Partitions.condition() + ` AND (` + condition + `))
			AND ` + a.Partitions.condition() + `
		SETTINGS do_not_merge_across_partitions_select_final = 1`
	workspace, product := result[proto.ColStr](q, "workspace"), result[proto.ColStr](q, "product")
	insertID := result[proto.ColStr](q, "insert_id")
	keyAt, eventAt := result[proto.ColInt64](q, "key_at"), result[proto.ColInt64](q, "at")
	version := result[proto.ColUInt64](q, "version")
	externalID, email := result[proto.ColStr](q, "external_id"), result[proto.ColStr](q, "address")
	conversation := result[proto.ColStr](q, "conversation")
	user, conversationID := result[proto.ColUUID](q, "user"), result[proto.ColUUID](q, "conversation_uuid")
	partition := result[proto.ColInt32](q, "partition")
	return readParts(ctx, l, q, take, func(row int) StoredEvent {
		return StoredEvent{
			Workspace: workspace.Row(row), Product: product.Row(row), InsertID: insertID.Row(row),
			KeyAt: keyAt.Row(row), EventAt: eventAt.Row(row), Version: version.Row(row),
			ExternalUserID: externalID.Row(row), Email: email.Row(row), Conversation: conversation.Row(row),
			UserID: user.Row(row), ConversationID: conversationID.Row(row), Partition: partition.Row(row),
		}
	})
}

// readParts passes the rows of each block of a result to take.
func readParts[T any](ctx context.Context, l *Lookup, q *query, take func([]T) error, row func(int) T) error {
	return l.read(ctx, q, func(rows int) error {
		list := make([]T, rows)
		for i := range list {
			list[i] = row(i)
		}
		if rows == 0 {
			return nil
		}
		return take(list)
	})
}

// StoredActivity is what attribution needs of a row of conversation_activity.
type StoredActivity struct {
	Workspace, Product, Conversation string
	At                               int64 // Unix milliseconds
	Version                          uint64
	ExternalUserID, Email            string
	UserID                           identity.ID // zero for null
	Partition                        int32       // -1 if not known
}

// ProductPartition returns where the row is from.
func (a *StoredActivity) ProductPartition() ProductPartition {
	return ProductPartition{a.Workspace, a.Product, a.Partition}
}

const storedActivities = `SELECT workspace_id AS workspace, product_id AS product, external_conversation_id,
	kafka_partition AS partition, toUnixTimestamp64Milli(activity_at) AS at, version, external_user_id, email,
	ifNull(user_id, ` + noID + `) AS user`

// activityQuery is a query that starts with storedActivities.
type activityQuery struct {
	query
	activity func(row int) StoredActivity
}

func newActivityQuery(what, sql string, tables []ch.ExternalTable) *activityQuery {
	a := &activityQuery{query: query{what: what, sql: sql, tables: tables}}
	q := &a.query
	workspace, product := result[proto.ColStr](q, "workspace"), result[proto.ColStr](q, "product")
	conversation := result[proto.ColStr](q, "external_conversation_id")
	partition, at := result[proto.ColInt32](q, "partition"), result[proto.ColInt64](q, "at")
	version := result[proto.ColUInt64](q, "version")
	externalID, email := result[proto.ColStr](q, "external_user_id"), result[proto.ColStr](q, "email")
	user := result[proto.ColUUID](q, "user")
	a.activity = func(row int) StoredActivity {
		return StoredActivity{
			Workspace: workspace.Row(row), Product: product.Row(row), Conversation: conversation.Row(row),
			At: at.Row(row), Version: version.Row(row), ExternalUserID: externalID.Row(row), Email: email.Row(row),
			UserID: user.Row(row), Partition: partition.Row(row),
		}
	}
	return a
}

// AffectedActivities passes the rows of conversation_activity that users, external ids and addresses select to take, as
// AffectedEvents does.
func (l *Lookup) AffectedActivities(ctx context.Context, a *AffectedRows, take func([]StoredActivity) error) error {
	users := a.userCondition("email")
	if users == "" {
		return nil
	}
	q := newActivityQuery("activities that may have another user", storedActivities+`
		FROM conversation_activity FINAL
		WHERE product_id IN (SELECT product FROM wanted) AND `+a.Partitions.condition()+` AND (`+users+`)
		SETTINGS do_not_merge_across_partitions_select_final = 1`, append(a.userTables(), a.productTable()))
	return readParts(ctx, l.on(stringsOf(a.Products)), &q.query, take, q.activity)
}
