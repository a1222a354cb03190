package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/millrace/millrace/pkg/identity"
)

// ConversationName is a conversation's external id in a product.
type ConversationName struct{ Product, Name string }

func tableOfConversations(list []ConversationName) *nameTable {
	n := &nameTable{}
	for _, c := range list {
		n.add([]byte(c.Product), []byte(c.Name))
	}
	return n
}

// KnownConversations returns those of the conversations that have had an activity.
func (l *Lookup) KnownConversations(
	ctx context.Context, wanted []ConversationName,
) (known []ConversationName, err error) {
	n := tableOfConversations(wanted)
	q := &query{what: "conversations", tables: []ch.ExternalTable{n.as("wanted")}}
	q.sql = `SELECT DISTINCT product_id AS product, external_conversation_id FROM conversation_activity
		WHERE product_id IN (SELECT scope FROM wanted) AND external_conversation_id IN (SELECT name FROM wanted)
			AND (product_id, external_conversation_id) IN (SELECT scope, name FROM wanted)`
	product, name := result[proto.ColStr](q, "product"), result[proto.ColStr](q, "external_conversation_id")
	return collect(ctx, l.on(&n.scopes), q, func(row int) ConversationName {
		return ConversationName{product.Row(row), name.Row(row)}
	})
}

// ProductUser is a user in a product.
type ProductUser struct {
	Product string
	User    identity.ID
}

// TimeBucket is a span of time of a user in a product, as long as the look-back window.
type TimeBucket struct {
	ProductUser
	number int64
}

// LookBackBuckets returns the two buckets that contain the look-back window before a time in Unix milliseconds.
func LookBackBuckets(u ProductUser, at int64) [2]TimeBucket {
	const length = int64(identity.LookBack / time.Millisecond)
	number := at / length
	if at%length < 0 {
		number--
	}
	return [2]TimeBucket{{u, number - 1}, {u, number}}
}

// ActivitiesIn returns the activities in buckets that lie between two times in Unix milliseconds, sorted by time. Its
// memory depends on the activities in the buckets, not on how far they are apart.
func (l *Lookup) ActivitiesIn(
	ctx context.Context, buckets map[TimeBucket]struct{}, from, to int64,
) (map[ProductUser]identity.Activities, error) {
	var products proto.ColStr
	var users proto.ColUUID
	var numbers proto.ColInt64
	for b := range buckets {
		products.Append(b.Product)
		users.Append(b.User)
		numbers.Append(b.number)
	}
	q := &query{what: "activities", sql: fmt.Sprintf(`SELECT product_id AS product, assumeNotNull(user_id) AS user,
			conversation_id, toUnixTimestamp64Milli(activity_at) AS at
		FROM conversation_activity FINAL
		WHERE product_id IN (SELECT product FROM wanted) AND activity_at BETWEEN %s AND %s
			AND (product_id, ifNull(user_id, %s), toInt64(floor(toUnixTimestamp64Milli(activity_at) / %d)))
				IN (SELECT product, user, bucket FROM wanted)
		SETTINGS do_not_merge_across_partitions_select_final = 1`,
		millisecondsSQL(from), millisecondsSQL(to), noID, identity.LookBack.Milliseconds())}
	q.tables = []ch.ExternalTable{
		externalTable("wanted", input("product", &products), input("user", &users), input("bucket", &numbers)),
	}
	product, user := result[proto.ColStr](q, "product"), result[proto.ColUUID](q, "user")
	conversation, at := result[proto.ColUUID](q, "conversation_id"), result[proto.ColInt64](q, "at")
	found := map[ProductUser]identity.Activities{}
	err := l.on(&products).read(ctx, q, func(rows int) error {
		for row := range rows {
			key := ProductUser{product.Row(row), user.Row(row)}
			found[key] = append(found[key], identity.Activity{At: at.Row(row), Conversation: conversation.Row(row)})
		}
		return nil
	})
	for _, activities := range found {
		activities.Sort()
	}
	return found, err
}

// ProductsWithActivity returns those of the products that have activities.
func (l *Lookup) ProductsWithActivity(ctx context.Context, products []string) ([]string, error) {
	wanted := stringsOf(products)
	q := &query{what: "products with conversations", sql: `SELECT product_id AS product FROM conversation_activity
		WHERE product_id IN (SELECT product FROM wanted) GROUP BY product_id`}
	q.tables = []ch.ExternalTable{externalTable("wanted", input("product", wanted))}
	product := result[proto.ColStr](q, "product")
	return collect(ctx, l.on(wanted), q, func(row int) string { return product.Row(row) })
}
