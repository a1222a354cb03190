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

// KnownConversations finds which of the conversations are known: those that have had an activity.
func (l *Lookup) KnownConversations(ctx context.Context, wanted []ConversationName) (known []ConversationName, err error) {
	var n names
	for _, w := range wanted {
		n.add([]byte(w.Product), []byte(w.Name))
	}
	var product, name proto.ColStr
	columns := proto.Results{{Name: "product", Data: &product}, {Name: "external_conversation_id", Data: &name}}
	err = l.of(&n.scopes).read(ctx, "conversations", `SELECT DISTINCT product_id AS product, external_conversation_id FROM conversation_activity
		WHERE product_id IN (SELECT scope FROM wanted) AND external_conversation_id IN (SELECT name FROM wanted) AND (product_id, external_conversation_id) IN (SELECT scope, name FROM wanted)`,
		[]ch.ExternalTable{n.table("wanted")}, columns, func(rows int) error {
			for row := range rows {
				known = append(known, ConversationName{product.Row(row), name.Row(row)})
			}
			return nil
		})
	return known, err
}

// ProductUser is a user in a product.
type ProductUser struct {
	Product string
	User    identity.ID
}

// TimeBucket is a span of time of a user in a product, as long as the look-back.
type TimeBucket struct {
	ProductUser
	span int64
}

// LookBackBuckets are the two that the look-back from a time, in Unix milliseconds, lies in.
func LookBackBuckets(u ProductUser, at int64) [2]TimeBucket {
	const length = int64(identity.LookBack / time.Millisecond)
	span := at / length
	if at%length < 0 {
		span--
	}
	return [2]TimeBucket{{u, span - 1}, {u, span}}
}

// ActivitiesIn finds what the users have done in the products in moments that lie between two times, in Unix
// milliseconds. They are sorted. Only what is in the moments is read into memory, however far apart they are.
func (l *Lookup) ActivitiesIn(ctx context.Context, wanted map[TimeBucket]struct{}, from, to int64) (map[ProductUser]identity.Activities, error) {
	var products proto.ColStr
	var users proto.ColUUID
	var spans proto.ColInt64
	for w := range wanted {
		products.Append(w.Product)
		users.Append(w.User)
		spans.Append(w.span)
	}
	found := map[ProductUser]identity.Activities{}
	var product proto.ColStr
	var user, conversation proto.ColUUID
	var at proto.ColInt64
	columns := proto.Results{{Name: "product", Data: &product}, {Name: "user", Data: &user}, {Name: "conversation_id", Data: &conversation}, {Name: "at", Data: &at}}
	query := fmt.Sprintf(`SELECT product_id AS product, assumeNotNull(user_id) AS user, conversation_id, toUnixTimestamp64Milli(activity_at) AS at
		FROM conversation_activity FINAL
		WHERE product_id IN (SELECT product FROM wanted) AND activity_at BETWEEN fromUnixTimestamp64Milli(%d, 'UTC') AND fromUnixTimestamp64Milli(%d, 'UTC')
			AND (product_id, ifNull(user_id, %s), toInt64(floor(toUnixTimestamp64Milli(activity_at) / %d))) IN (SELECT product, user, span FROM wanted)
		SETTINGS do_not_merge_across_partitions_select_final = 1`, clampTime(from), clampTime(to), noID, identity.LookBack.Milliseconds())
	tables := []ch.ExternalTable{{Name: "wanted", Data: []proto.InputColumn{{Name: "product", Data: &products}, {Name: "user", Data: &users}, {Name: "span", Data: &spans}}}}
	err := l.of(&products).read(ctx, "activities", query, tables, columns, func(rows int) error {
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

// ProductsWithActivity finds which of the products have any.
func (l *Lookup) ProductsWithActivity(ctx context.Context, products []string) (some []string, err error) {
	var wanted, product proto.ColStr
	for _, p := range products {
		wanted.Append(p)
	}
	tables := []ch.ExternalTable{{Name: "wanted", Data: []proto.InputColumn{{Name: "product", Data: &wanted}}}}
	err = l.of(&wanted).read(ctx, "products with conversations", `SELECT product_id AS product FROM conversation_activity
		WHERE product_id IN (SELECT product FROM wanted) GROUP BY product_id`, tables,
		proto.Results{{Name: "product", Data: &product}}, func(rows int) error {
			for row := range rows {
				some = append(some, product.Row(row))
			}
			return nil
		})
	return some, err
}

// The times that DateTime64 holds, in Unix milliseconds: the years 1900 to 2299.
const (
	earliestTime = -2208988800_000
	latestTime   = 10413791999_999
)

func clampTime(at int64) int64 { return min(max(at, earliestTime), latestTime) }
