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

// AffectedRows says which rows of the products, among those that came from the partitions, may be about somebody else by now.
type AffectedRows struct {
	Products          []string
	Partitions        PartitionFilter
	ExternalIDs       []ExpectedUser               // rows that name one of them and are not its user's,
	Addresses         []ExpectedUser               // or one of these,
	Users             []identity.ID                // or are one of these users',
	Conversations     []ConversationName           // or name one of these conversations,
	UserSpans         map[ProductUser]Span         // or are a user's in a span of time,
	ConversationSpans map[ProductConversation]Span // or followed from a conversation, there
}

// Span is from a time to another, both included, in Unix milliseconds.
type Span = [2]int64

// ProductConversation is a conversation of a product.
type ProductConversation struct {
	Product string
	ID      identity.ID
}

// PartitionFilter are some of a topic's; none stands for all. Rows that do not say where they came from are of any.
type PartitionFilter struct {
	IDs            []int32
	PartitionCount int32 // how many the topic has. Rows of a topic that had more are shared out among these.
}

func (p *PartitionFilter) condition() string {
	if p.IDs == nil {
		return "1"
	}
	ids := make([]string, len(p.IDs))
	for i, id := range p.IDs {
		ids[i] = strconv.Itoa(int(id))
	}
	return fmt.Sprintf("(kafka_partition < 0 OR kafka_partition %% %d IN (%s))", p.PartitionCount, strings.Join(ids, ", "))
}

// ExpectedUser is an external id or an address, and the user who it stands for by all that is known, if it does.
type ExpectedUser struct {
	identity.Name
	User identity.ID
}

// StoredEvent is a row of events as far as attribution goes.
type StoredEvent struct {
	Workspace, Product, InsertID string
	KeyAt, EventAt               int64
	Version                      uint64
	ExternalUserID, Email        string // "" where there is none
	Conversation                 string
	UserID, ConversationID       identity.ID // zero where there is none
	Partition                    int32       // that it came from
}

// StoredActivity is a row of conversation_activity as far as attribution goes.
type StoredActivity struct {
	Workspace, Product, Conversation string
	At                               int64
	Version                          uint64
	ExternalUserID, Email            string
	UserID                           identity.ID
	Partition                        int32 // -1 if it does not say
}

// ProductPartition is what the row is of, and where it came from.
func (s *StoredEvent) ProductPartition() ProductPartition {
	return ProductPartition{s.Product, s.Partition}
}

// ProductPartition is the same of an activity.
func (s *StoredActivity) ProductPartition() ProductPartition {
	return ProductPartition{s.Product, s.Partition}
}

const noID = "toUUID('00000000-0000-0000-0000-000000000000')"

// aboutPeople is the condition for rows that the identities in Affected are about; email is the column of the address.
// Most rows of somebody who has just become known are right already: they are what made him known.
func (a *AffectedRows) aboutPeople(email string) string {
	const user = "ifNull(user_id, " + noID + ")"
	var any []string
	expected := func(column, table string) {
		any = append(any, fmt.Sprintf("(workspace_id, %[1]s) IN (SELECT scope, name FROM %[2]s) AND (workspace_id, %[1]s, %[3]s) NOT IN (SELECT scope, name, user FROM %[2]s)", column, table, user))
	}
	if len(a.ExternalIDs) > 0 {
		expected("ifNull(external_user_id, '')", "persons")
	}
	if len(a.Addresses) > 0 {
		expected(email, "addresses")
		any = append(any, "match("+email+", '[^\\x00-\\x7F]')") // other letters have cases that the two sides do not agree about
	}
	if len(a.Users) > 0 {
		any = append(any, user+" IN (SELECT id FROM users)")
	}
	return strings.Join(any, " OR ")
}

func expectedTable(name string, list []ExpectedUser) ch.ExternalTable {
	var n names
	var users proto.ColUUID
	for i := range list {
		n.add(list[i].Workspace, list[i].Name.Name)
		users.Append(list[i].User)
	}
	t := n.table(name)
	t.Data = append(t.Data, proto.InputColumn{Name: "user", Data: &users})
	return t
}

// in asks the shards that the products are in.
func (a *AffectedRows) in(l *Lookup) *Lookup {
	var products proto.ColStr
	products.AppendArr(a.Products)
	return l.of(&products)
}

func (a *AffectedRows) tables() []ch.ExternalTable {
	var products proto.ColStr
	for _, p := range a.Products {
		products.Append(p)
	}
	var users proto.ColUUID
	users.AppendArr(a.Users)
	tables := []ch.ExternalTable{{Name: "wanted", Data: []proto.InputColumn{{Name: "product", Data: &products}}}}
	if len(a.ExternalIDs) > 0 {
		tables = append(tables, expectedTable("persons", a.ExternalIDs))
	}
	if len(a.Addresses) > 0 {
		tables = append(tables, expectedTable("addresses", a.Addresses))
	}
	if len(a.Users) > 0 {
		tables = append(tables, ch.ExternalTable{Name: "users", Data: []proto.InputColumn{{Name: "id", Data: &users}}})
	}
	return tables
}

// AffectedEvents passes the affected rows of events to take, some at a time, which may ask other questions meanwhile.
// A row can come more than once.
func (l *Lookup) AffectedEvents(ctx context.Context, a *AffectedRows, take func([]StoredEvent) error) error {
	l = a.in(l)
	if about := a.aboutPeople("lower(ifNull(user_email, ''))"); about != "" {
		if err := l.stored(ctx, about, &a.Partitions, a.tables(), take); err != nil {
			return err
		}
	}
	if len(a.Conversations) > 0 {
		var n names
		for _, c := range a.Conversations {
			n.add([]byte(c.Product), []byte(c.Name))
		}
		tables := append((&AffectedRows{Products: a.Products}).tables(), n.table("named"))
		if err := l.stored(ctx, "(product_id, ifNull(external_conversation_id, '')) IN (SELECT scope, name FROM named)", &a.Partitions, tables, take); err != nil {
			return err
		}
	}
	if len(a.UserSpans)+len(a.ConversationSpans) == 0 {
		return nil
	}
	return l.stored(ctx, a.active(), &a.Partitions, append((&AffectedRows{Products: a.Products}).tables(), a.activeTables()...), take)
}

// active is the condition for rows in which the look-back may find something new. That they are near in time
// is said of the sorting key too, so that the rest of the table is not read.
func (a *AffectedRows) active() string {
	from, to := int64(latestTime), int64(earliestTime)
	for _, spans := range []iter.Seq[Span]{maps.Values(a.UserSpans), maps.Values(a.ConversationSpans)} {
		for span := range spans {
			from, to = min(from, clampTime(span[0])), max(to, clampTime(span[1]))
		}
	}
	near := func(column string) string {
		return fmt.Sprintf("%s BETWEEN fromUnixTimestamp64Milli(%d, 'UTC') AND fromUnixTimestamp64Milli(%d, 'UTC')", column, from, to)
	}
	whose := "(product_id, ifNull(user_id, " + noID + ")) IN (SELECT product, id FROM active)"
	if len(a.ConversationSpans) > 0 {
		whose = "(" + whose + " OR (product_id, ifNull(conversation_id, " + noID + ")) IN (SELECT product, id FROM followed))"
	}
	return "(" + near("event_key_at") + " OR event_key_at = fromUnixTimestamp64Milli(0, 'UTC')) AND " + near("event_at") +
		" AND external_conversation_id IS NULL AND " + whose
}

func (a *AffectedRows) activeTables() []ch.ExternalTable {
	var active, followed idsOf
	for u := range a.UserSpans {
		active.add(u.Product, u.User)
	}
	for c := range a.ConversationSpans {
		followed.add(c.Product, c.ID)
	}
	return []ch.ExternalTable{active.table("active"), followed.table("followed")}
}

// idsOf is a table of ids in products.
type idsOf struct {
	products proto.ColStr
	ids      proto.ColUUID
}

func (t *idsOf) add(product string, id identity.ID) {
	t.products.Append(product)
	t.ids.Append(id)
}

func (t *idsOf) table(name string) ch.ExternalTable {
	return ch.ExternalTable{Name: name, Data: []proto.InputColumn{{Name: "product", Data: &t.products}, {Name: "id", Data: &t.ids}}}
}

// stored reads the rows by their keys, which are found before without FINAL: that would read every column of every row.
// Those of other partitions are left out before FINAL as well as after it: of a row's versions, only the one that stays
// matters.
func (l *Lookup) stored(ctx context.Context, about string, from *PartitionFilter, tables []ch.ExternalTable, take func([]StoredEvent) error) error {
	var workspace, product, insertID, externalID, email, conversation proto.ColStr
	var keyAt, eventAt proto.ColInt64
	var version proto.ColUInt64
	var user, conversationID proto.ColUUID
	var partition proto.ColInt32
	columns := proto.Results{
		{Name: "workspace", Data: &workspace}, {Name: "product", Data: &product}, {Name: "insert_id", Data: &insertID},
		{Name: "key_at", Data: &keyAt}, {Name: "at", Data: &eventAt}, {Name: "version", Data: &version},
		{Name: "external_id", Data: &externalID}, {Name: "address", Data: &email}, {Name: "conversation", Data: &conversation},
		{Name: "user", Data: &user}, {Name: "conversation_uuid", Data: &conversationID}, {Name: "partition", Data: &partition},
	}
	query := `SELECT workspace_id AS workspace, product_id AS product, insert_id,
			toUnixTimestamp64Milli(event_key_at) AS key_at, toUnixTimestamp64Milli(event_at) AS at, version,
			ifNull(external_user_id, '') AS external_id, ifNull(user_email, '') AS address, ifNull(external_conversation_id, '') AS conversation,
			ifNull(user_id, ` + noID + `) AS user, ifNull(conversation_id, ` + noID + `) AS conversation_uuid,
			kafka_partition AS partition
		FROM events FINAL WHERE (product_id, event_key_at, insert_id) IN
			(SELECT product_id, event_key_at, insert_id FROM events WHERE product_id IN (SELECT product FROM wanted) AND ` + from.condition() + ` AND (` + about + `))
			AND ` + from.condition() + `
		SETTINGS do_not_merge_across_partitions_select_final = 1`
	return l.read(ctx, "events that may be about somebody else", query, tables, columns, func(rows int) error {
		list := make([]StoredEvent, rows)
		for row := range list {
			list[row] = StoredEvent{
				Workspace: workspace.Row(row), Product: product.Row(row), InsertID: insertID.Row(row),
				KeyAt: keyAt.Row(row), EventAt: eventAt.Row(row), Version: version.Row(row),
				ExternalUserID: externalID.Row(row), Email: email.Row(row), Conversation: conversation.Row(row),
				UserID: user.Row(row), ConversationID: conversationID.Row(row), Partition: partition.Row(row),
			}
		}
		if rows == 0 {
			return nil
		}
		return take(list)
	})
}

// AffectedActivities passes the affected rows of conversation_activity to take, as Events does.
func (l *Lookup) AffectedActivities(ctx context.Context, a *AffectedRows, take func([]StoredActivity) error) error {
	l = a.in(l)
	about := a.aboutPeople("email")
	if about == "" {
		return nil
	}
	var workspace, product, conversation, externalID, email proto.ColStr
	var at proto.ColInt64
	var version proto.ColUInt64
	var user proto.ColUUID
	var partition proto.ColInt32
	columns := proto.Results{
		{Name: "workspace", Data: &workspace}, {Name: "product", Data: &product}, {Name: "external_conversation_id", Data: &conversation}, {Name: "partition", Data: &partition},
		{Name: "at", Data: &at}, {Name: "version", Data: &version}, {Name: "external_user_id", Data: &externalID}, {Name: "email", Data: &email}, {Name: "user", Data: &user},
	}
	query := `SELECT workspace_id AS workspace, product_id AS product, external_conversation_id,
			kafka_partition AS partition, toUnixTimestamp64Milli(activity_at) AS at, version, external_user_id, email, ifNull(user_id, ` + noID + `) AS user
		FROM conversation_activity FINAL WHERE product_id IN (SELECT product FROM wanted) AND ` + a.Partitions.condition() + ` AND (` + about + `)
		SETTINGS do_not_merge_across_partitions_select_final = 1`
	return l.read(ctx, "activities that may be of somebody else", query, a.tables(), columns, func(rows int) error {
		list := make([]StoredActivity, rows)
		for row := range list {
			list[row] = StoredActivity{
				Workspace: workspace.Row(row), Product: product.Row(row), Conversation: conversation.Row(row),
				At: at.Row(row), Version: version.Row(row), ExternalUserID: externalID.Row(row), Email: email.Row(row), UserID: user.Row(row), Partition: partition.Row(row),
			}
		}
		if rows == 0 {
			return nil
		}
		return take(list)
	})
}
