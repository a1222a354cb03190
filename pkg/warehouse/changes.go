package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/millrace/millrace/pkg/identity"
)

// IdentityChanges is what other loaders have written down in a span of ClickHouse's own time.
type IdentityChanges struct {
	Claims []identity.Claim
	ReadTo time.Time // everything up to here has been read
}

// VisibilityDelay is how long ago something must have been written to be sure that all that was written before is
// to be seen. A block that takes longer is written again.
const VisibilityDelay = 10 * time.Second

// VisibilityDelay is how long it is here.
func (l *Lookup) VisibilityDelay() time.Duration {
	return cmp.Or(l.config.VisibilityDelay, VisibilityDelay)
}

// learntAtOnce bounds what is read at once, except for what was written together.
const learntAtOnce = 10_000

// ChangeFilter says of what to read: what was written down after one time and until another, by ClickHouse's clock.
type ChangeFilter struct {
	After, Until time.Time
	ExceptWriter uint64 // what this writer has written is left out; 0 is nobody
	Workspace    string // "" is all
}

// ChangesSince reads the claims written down in a span, the oldest first, and not all at once if there are many: the next
// call goes on from To.
func (l *Lookup) ChangesSince(ctx context.Context, since ChangeFilter) (IdentityChanges, error) {
	all := IdentityChanges{ReadTo: since.Until}
	err := l.apart(ctx, func(one *Lookup) error {
		learnt, err := one.learnt(ctx, since)
		all.Claims = append(all.Claims, learnt.Claims...) // those of one shard may go further than all do, and come again
		all.ReadTo = earlier(all.ReadTo, learnt.ReadTo)
		return err
	})
	return all, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (l *Lookup) learnt(ctx context.Context, since ChangeFilter) (IdentityChanges, error) {
	learnt := IdentityChanges{ReadTo: since.Until}
	var workspace proto.ColStr
	workspace.Append(since.Workspace)
	var r claimResult
	var written proto.ColInt64
	query := fmt.Sprintf(`SELECT workspace_id AS workspace, external_user_id, email, user_id AS user, explicit_first.1 AS explicit, event_first.1 AS event, name_first.1 AS named, toUnixTimestamp64Micro(written_at) AS written
		FROM user_claims WHERE written_at > fromUnixTimestamp64Micro(%d, 'UTC') AND written_at <= fromUnixTimestamp64Micro(%d, 'UTC') AND writer != %d`,
		since.After.UnixMicro(), since.Until.UnixMicro(), since.ExceptWriter)
	if since.Workspace != "" {
		query += " AND workspace_id IN (SELECT name FROM wanted)"
	}
	query += fmt.Sprintf(" ORDER BY written_at LIMIT %d WITH TIES", learntAtOnce)
	last := int64(0)
	tables := []ch.ExternalTable{{Name: "wanted", Data: []proto.InputColumn{{Name: "name", Data: &workspace}}}}
	err := l.read(ctx, "what has been learnt", query, tables, append(r.columns(), proto.ResultColumn{Name: "written", Data: &written}), func(rows int) error {
		for row := range rows {
			learnt.Claims = append(learnt.Claims, r.claim(row))
			last = max(last, written.Row(row))
		}
		return nil
	})
	if len(learnt.Claims) >= learntAtOnce {
		learnt.ReadTo = time.UnixMicro(last).UTC()
	}
	return learnt, err
}

// ActivitiesSince reads the activities of products that were written in a span, as Learnt does. They are rows as they
// were written, also those that have been replaced since.
func (l *Lookup) ActivitiesSince(ctx context.Context, products []string, since ChangeFilter) (activities []StoredActivity, to time.Time, err error) {
	to = since.Until
	err = l.apart(ctx, func(one *Lookup) error {
		some, until, err := one.activitiesSince(ctx, products, since)
		activities, to = append(activities, some...), earlier(to, until)
		return err
	})
	return activities, to, err
}

func (l *Lookup) activitiesSince(ctx context.Context, products []string, since ChangeFilter) (activities []StoredActivity, to time.Time, err error) {
	var wanted, workspace, product, conversation proto.ColStr
	var at, written proto.ColInt64
	var version proto.ColUInt64
	var user proto.ColUUID
	last := int64(0)
	wanted.AppendArr(products)
	query := fmt.Sprintf(`SELECT workspace_id AS workspace, product_id AS product, external_conversation_id, version, toUnixTimestamp64Milli(activity_at) AS at, ifNull(user_id, %[1]s) AS user, toUnixTimestamp64Micro(written_at) AS written
		FROM conversation_activity WHERE product_id IN (SELECT product FROM wanted)
		AND written_at > fromUnixTimestamp64Micro(%[2]d, 'UTC') AND written_at <= fromUnixTimestamp64Micro(%[3]d, 'UTC')
		AND (writer != %[4]d OR %[4]d = 0) ORDER BY written_at LIMIT %[5]d WITH TIES`, noID, since.After.UnixMicro(), since.Until.UnixMicro(), since.ExceptWriter, learntAtOnce)
	err = l.read(ctx, "what has been active", query, []ch.ExternalTable{{Name: "wanted", Data: []proto.InputColumn{{Name: "product", Data: &wanted}}}},
		proto.Results{{Name: "workspace", Data: &workspace}, {Name: "product", Data: &product}, {Name: "external_conversation_id", Data: &conversation}, {Name: "version", Data: &version}, {Name: "at", Data: &at}, {Name: "user", Data: &user}, {Name: "written", Data: &written}}, func(rows int) error {
			for row := range rows {
				last = max(last, written.Row(row))
				activities = append(activities, StoredActivity{Workspace: workspace.Row(row), Product: product.Row(row), Conversation: conversation.Row(row), At: at.Row(row), Version: version.Row(row), UserID: user.Row(row)})
			}
			return nil
		})
	if to = since.Until; len(activities) >= learntAtOnce {
		to = time.UnixMicro(last).UTC()
	}
	return activities, to, err
}

// UsersOfAddresses finds who has a claim on the addresses, by workspace: one of them held it before the last came.
func (l *Lookup) UsersOfAddresses(ctx context.Context, addresses []identity.Name) (holders map[string][]identity.ID, err error) {
	var workspace proto.ColStr
	var user proto.ColUUID
	holders = map[string][]identity.ID{}
	wanted := namesOf(addresses)
	err = l.of(&wanted.scopes).read(ctx, "holders of addresses", "SELECT DISTINCT workspace_id AS workspace, user_id AS user FROM user_claims_by_email WHERE (workspace_id, email) IN (SELECT scope, name FROM wanted)",
		[]ch.ExternalTable{wanted.table("wanted")}, proto.Results{{Name: "workspace", Data: &workspace}, {Name: "user", Data: &user}}, func(rows int) error {
			for row := range rows {
				holders[workspace.Row(row)] = append(holders[workspace.Row(row)], user[row])
			}
			return nil
		})
	return holders, err
}

// SafeTime is the time by ClickHouse's clock before which everything inserted is to be seen. Of several shards it is the
// clock that is behind: what is written after this has a later time in each.
func (l *Lookup) SafeTime(ctx context.Context) (time.Time, error) {
	now, _, err := l.time(ctx, "toUnixTimestamp64Micro(now64(6))")
	return now.Add(-l.VisibilityDelay()), err
}

// Now is the time by ClickHouse's clock after all that has been written: of several shards, the one that is ahead.
func (l *Lookup) Now(ctx context.Context) (time.Time, error) {
	_, now, err := l.time(ctx, "toUnixTimestamp64Micro(now64(6))")
	return now, err
}

// ActivityWatermark is SafeTime, or earlier, so that activities revised before it are to be seen too: a revision takes as long as it
// takes, and what it writes bears times from its beginning on.
func (l *Lookup) ActivityWatermark(ctx context.Context) (time.Time, error) {
	now, _, err := l.time(ctx, fmt.Sprintf(`least(toUnixTimestamp64Micro(now64(6)), (SELECT minOrNull(toUnixTimestamp64Micro(now64(6)) - toInt64(elapsed * 1e6)) FROM %s
		WHERE startsWith(query_id, '%s')))`, l.processes(), activityRevisionPrefix))
	return now.Add(-l.VisibilityDelay()), err
}

// processes are the queries that run on a shard: it may be one of its other replicas that another loader uses.
func (l *Lookup) processes() string {
	if l.config.Replicated {
		return "clusterAllReplicas('" + l.config.Cluster + "', system.processes)"
	}
	return "system.processes"
}

func (l *Lookup) time(ctx context.Context, of string) (first, last time.Time, err error) {
	if err := l.catchUp(ctx); err != nil { // before the time is taken: then all that others wrote before it is here
		return first, last, err
	}
	var column proto.ColInt64
	var times []int64
	err = l.read(ctx, "the time", "SELECT toInt64(ifNull("+of+", toUnixTimestamp64Micro(now64(6)))) AS now", nil, proto.Results{{Name: "now", Data: &column}}, func(rows int) error {
		for row := range rows {
			times = append(times, column.Row(row))
		}
		return nil
	})
	if err != nil || len(times) == 0 {
		return first, last, err
	}
	return time.UnixMicro(slices.Min(times)).UTC(), time.UnixMicro(slices.Max(times)).UTC(), nil
}

// ProductPartition is a product and a partition in which messages of it have been, -1 if that was not written down.
type ProductPartition struct {
	Product   string
	Partition int32
}

// Products finds the products of workspaces; none stands for all.
func (l *Lookup) Products(ctx context.Context, workspaces []string) ([]ProductPartition, error) {
	return l.products(ctx, "WHERE workspace_id IN (SELECT workspace FROM wanted) OR (SELECT count() FROM wanted) = 0", workspaces)
}

// SaltedProducts finds the products that have been in several partitions.
func (l *Lookup) SaltedProducts(ctx context.Context) ([]ProductPartition, error) {
	return l.products(ctx, "WHERE product_id IN (SELECT product_id FROM products WHERE seen_in > 0 GROUP BY product_id HAVING uniqExact(seen_in) > 1)", nil)
}

func (l *Lookup) products(ctx context.Context, where string, workspaces []string) (products []ProductPartition, err error) {
	var wanted, product proto.ColStr
	var seenIn proto.ColInt32
	wanted.AppendArr(workspaces)
	err = l.read(ctx, "products", "SELECT DISTINCT product_id, seen_in FROM products "+where,
		[]ch.ExternalTable{{Name: "wanted", Data: []proto.InputColumn{{Name: "workspace", Data: &wanted}}}},
		proto.Results{{Name: "product_id", Data: &product}, {Name: "seen_in", Data: &seenIn}}, func(rows int) error {
			for row := range rows {
				products = append(products, ProductPartition{product.Row(row), seenIn.Row(row) - 1})
			}
			return nil
		})
	return products, err
}

// Progress is how far what was learnt has been worked into each partition's events.
func (l *Lookup) Progress(ctx context.Context, group string) (progress map[int32]time.Time, err error) {
	var name, partition = proto.ColStr{}, proto.ColInt32{}
	var to proto.ColInt64
	name.Append(group)
	progress = map[int32]time.Time{}
	err = l.read(ctx, "how far attribution has come", "SELECT partition, toUnixTimestamp64Micro(max(pulled_to)) AS learnt FROM attribution_progress WHERE loader_group IN (SELECT name FROM wanted) GROUP BY partition",
		[]ch.ExternalTable{{Name: "wanted", Data: []proto.InputColumn{{Name: "name", Data: &name}}}},
		proto.Results{{Name: "partition", Data: &partition}, {Name: "learnt", Data: &to}}, func(rows int) error {
			for row := range rows {
				progress[partition.Row(row)] = time.UnixMicro(to.Row(row)).UTC()
			}
			return nil
		})
	return progress, err
}

// SaveProgress notes it.
func (l *Lookup) SaveProgress(ctx context.Context, group string, partitions []int32, to time.Time) error {
	b := newProgress()
	for _, p := range partitions {
		b.Append(&pulledPartition{group, p, to})
	}
	_, err := l.insert(ctx, &b.block, "")
	return err
}
