package warehouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/millrace/millrace/pkg/attribution"
)

// Affected says which rows of the products may be about somebody else by now.
type Affected struct {
	Products      []string
	ExternalIDs   []Expected               // rows that name one of them and are not its user's,
	Addresses     []Expected               // or one of these,
	Users         []attribution.ID         // or are one of these users',
	Conversations []ConversationName       // or name one of these conversations,
	Active        map[ProductUser][2]int64 // or are a user's from the first time to the second
}

// Expected is an external id or an address, and the user who it stands for by all that is known, if it does.
type Expected struct {
	attribution.Name
	User attribution.ID
}

// Stored is a row of events as far as attribution goes.
type Stored struct {
	Workspace, Product, InsertID string
	KeyAt, EventAt               int64
	Version                      uint64
	ExternalUserID, Email        string // "" where there is none
	Conversation                 string
	UserID, ConversationID       attribution.ID // zero where there is none
}

// StoredActivity is a row of conversation_activity as far as attribution goes.
type StoredActivity struct {
	Workspace, Product, Conversation string
	At                               int64
	Version                          uint64
	ExternalUserID, Email            string
	UserID                           attribution.ID
}

const noID = "toUUID('00000000-0000-0000-0000-000000000000')"

// aboutPeople is the condition for rows that the identities in Affected are about; email is the column of the address.
// Most rows of somebody who has just become known are right already: they are what made him known.
func (a *Affected) aboutPeople(email string) string {
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

func expectedTable(name string, list []Expected) ch.ExternalTable {
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

func (a *Affected) tables() []ch.ExternalTable {
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

// Events passes the affected rows of events to take, some at a time, which may ask other questions meanwhile.
// A row can come more than once.
func (l *Lookup) Events(ctx context.Context, a *Affected, take func([]Stored) error) error {
	if about := a.aboutPeople("lower(ifNull(user_email, ''))"); about != "" {
		if err := l.stored(ctx, about, a.tables(), take); err != nil {
			return err
		}
	}
	if len(a.Conversations) > 0 {
		var n names
		for _, c := range a.Conversations {
			n.add([]byte(c.Product), []byte(c.Name))
		}
		tables := append((&Affected{Products: a.Products}).tables(), n.table("named"))
		if err := l.stored(ctx, "(product_id, ifNull(external_conversation_id, '')) IN (SELECT scope, name FROM named)", tables, take); err != nil {
			return err
		}
	}
	if len(a.Active) == 0 {
		return nil
	}
	return l.stored(ctx, a.active(), append((&Affected{Products: a.Products}).tables(), a.activeTable()), take)
}

// active is the condition for rows in which the look-back may find something new. That they are near in time
// is said of the sorting key too, so that the rest of the table is not read.
func (a *Affected) active() string {
	from, to := int64(latestTime), int64(earliestTime)
	for _, span := range a.Active {
		from, to = min(from, clampTime(span[0])), max(to, clampTime(span[1]))
	}
	near := func(column string) string {
		return fmt.Sprintf("%s BETWEEN fromUnixTimestamp64Milli(%d, 'UTC') AND fromUnixTimestamp64Milli(%d, 'UTC')", column, from, to)
	}
	return "(" + near("event_key_at") + " OR event_key_at = fromUnixTimestamp64Milli(0, 'UTC')) AND " + near("event_at") +
		" AND external_conversation_id IS NULL AND (product_id, ifNull(user_id, " + noID + ")) IN (SELECT product, user FROM active)"
}

func (a *Affected) activeTable() ch.ExternalTable {
	var products proto.ColStr
	var users proto.ColUUID
	for u := range a.Active {
		products.Append(u.Product)
		users.Append(u.User)
	}
	return ch.ExternalTable{Name: "active", Data: []proto.InputColumn{{Name: "product", Data: &products}, {Name: "user", Data: &users}}}
}

// stored reads the rows by their keys, which are found before without FINAL: that would read every column of every row.
func (l *Lookup) stored(ctx context.Context, about string, tables []ch.ExternalTable, take func([]Stored) error) error {
	var workspace, product, insertID, externalID, email, conversation proto.ColStr
	var keyAt, eventAt proto.ColInt64
	var version proto.ColUInt64
	var user, conversationID proto.ColUUID
	columns := proto.Results{
		{Name: "workspace", Data: &workspace}, {Name: "product", Data: &product}, {Name: "insert_id", Data: &insertID},
		{Name: "key_at", Data: &keyAt}, {Name: "at", Data: &eventAt}, {Name: "version", Data: &version},
		{Name: "external_id", Data: &externalID}, {Name: "address", Data: &email}, {Name: "conversation", Data: &conversation},
		{Name: "user", Data: &user}, {Name: "conversation_uuid", Data: &conversationID},
	}
	query := `SELECT workspace_id AS workspace, product_id AS product, insert_id,
			toUnixTimestamp64Milli(event_key_at) AS key_at, toUnixTimestamp64Milli(event_at) AS at, version,
			ifNull(external_user_id, '') AS external_id, ifNull(user_email, '') AS address, ifNull(external_conversation_id, '') AS conversation,
			ifNull(user_id, ` + noID + `) AS user, ifNull(conversation_id, ` + noID + `) AS conversation_uuid
		FROM events FINAL WHERE (product_id, event_key_at, insert_id) IN
			(SELECT product_id, event_key_at, insert_id FROM events WHERE product_id IN (SELECT product FROM wanted) AND (` + about + `))
		SETTINGS do_not_merge_across_partitions_select_final = 1`
	return l.read(ctx, "events that may be about somebody else", query, tables, columns, func(rows int) error {
		list := make([]Stored, rows)
		for row := range list {
			list[row] = Stored{
				Workspace: workspace.Row(row), Product: product.Row(row), InsertID: insertID.Row(row),
				KeyAt: keyAt.Row(row), EventAt: eventAt.Row(row), Version: version.Row(row),
				ExternalUserID: externalID.Row(row), Email: email.Row(row), Conversation: conversation.Row(row),
				UserID: user.Row(row), ConversationID: conversationID.Row(row),
			}
		}
		if rows == 0 {
			return nil
		}
		return take(list)
	})
}

// Activities passes the affected rows of conversation_activity to take, as Events does.
func (l *Lookup) Activities(ctx context.Context, a *Affected, take func([]StoredActivity) error) error {
	about := a.aboutPeople("email")
	if about == "" {
		return nil
	}
	var workspace, product, conversation, externalID, email proto.ColStr
	var at proto.ColInt64
	var version proto.ColUInt64
	var user proto.ColUUID
	columns := proto.Results{
		{Name: "workspace", Data: &workspace}, {Name: "product", Data: &product}, {Name: "external_conversation_id", Data: &conversation},
		{Name: "at", Data: &at}, {Name: "version", Data: &version}, {Name: "external_user_id", Data: &externalID}, {Name: "email", Data: &email}, {Name: "user", Data: &user},
	}
	query := `SELECT workspace_id AS workspace, product_id AS product, external_conversation_id,
			toUnixTimestamp64Milli(activity_at) AS at, version, external_user_id, email, ifNull(user_id, ` + noID + `) AS user
		FROM conversation_activity FINAL WHERE product_id IN (SELECT product FROM wanted) AND (` + about + `)
		SETTINGS do_not_merge_across_partitions_select_final = 1`
	return l.read(ctx, "activities that may be of somebody else", query, a.tables(), columns, func(rows int) error {
		list := make([]StoredActivity, rows)
		for row := range list {
			list[row] = StoredActivity{
				Workspace: workspace.Row(row), Product: product.Row(row), Conversation: conversation.Row(row),
				At: at.Row(row), Version: version.Row(row), ExternalUserID: externalID.Row(row), Email: email.Row(row), UserID: user.Row(row),
			}
		}
		if rows == 0 {
			return nil
		}
		return take(list)
	})
}
