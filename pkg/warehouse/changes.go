package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/millrace/millrace/pkg/identity"
)

// ChangeFilter selects what was written in (After, Until], by ClickHouse's clock.
type ChangeFilter struct {
	After, Until time.Time
	ExceptWriter uint64 // leaves out what this writer wrote; 0 leaves out nothing
}

// IdentityChanges are the claims that were written in a range of time.
type IdentityChanges struct {
	Claims []identity.Claim
	ReadTo time.Time // the range was read up to here
}

// changesPage bounds the rows of one read. Rows with the time of the last one are added.
const changesPage = 10_000

// ChangesSince returns the claims that the filter selects, the oldest first. If there are many, it returns a page: the
// next call goes on from ReadTo.
func (l *Lookup) ChangesSince(ctx context.Context, filter ChangeFilter) (IdentityChanges, error) {
	all := IdentityChanges{ReadTo: filter.Until}
	err := l.eachShardAlone(ctx, func(shard *Lookup) error {
		// The page of one shard may reach further than ReadTo. Its claims are then read again.
		page, err := shard.changesSince(ctx, filter)
		all.Claims = append(all.Claims, page.Claims...)
		all.ReadTo = earlier(all.ReadTo, page.ReadTo)
		return err
	})
	return all, err
}

func (l *Lookup) changesSince(ctx context.Context, filter ChangeFilter) (IdentityChanges, error) {
	q := newClaimQuery("changes of claims", fmt.Sprintf(`%s, toUnixTimestamp64Micro(written_at) AS written
		FROM user_claims WHERE %s ORDER BY written_at LIMIT %d WITH TIES`, storedClaims, filter.condition(), changesPage))
	written := result[proto.ColInt64](&q.query, "written")
	last := int64(0)
	claims, err := collect(ctx, l, &q.query, func(row int) identity.Claim {
		last = max(last, written.Row(row))
		return q.claim(row)
	})
	return IdentityChanges{Claims: claims, ReadTo: filter.readTo(len(claims), last)}, err
}

// condition selects the rows of a table with written_at and writer.
func (f *ChangeFilter) condition() string {
	return fmt.Sprintf(`written_at > fromUnixTimestamp64Micro(%[1]d, 'UTC')
		AND written_at <= fromUnixTimestamp64Micro(%[2]d, 'UTC') AND (writer != %[3]d OR %[3]d = 0)`,
		f.After.UnixMicro(), f.Until.UnixMicro(), f.ExceptWriter)
}

// readTo returns the end of what a page holds; last is the time of its last row in Unix microseconds.
func (f *ChangeFilter) readTo(rows int, last int64) time.Time {
	if rows >= changesPage {
		return time.UnixMicro(last).UTC()
	}
	return f.Until
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// ActivitiesSince returns the activities of products that the filter selects, in pages as ChangesSince, and the time up
// to which it read. It returns all stored versions, also superseded ones.
func (l *Lookup) ActivitiesSince(
	ctx context.Context, products []string, filter ChangeFilter,
) (activities []StoredActivity, to time.Time, err error) {
	to = filter.Until
	err = l.eachShardAlone(ctx, func(shard *Lookup) error {
		page, until, err := shard.activitiesSince(ctx, products, filter)
		activities, to = append(activities, page...), earlier(to, until)
		return err
	})
	return activities, to, err
}

func (l *Lookup) activitiesSince(
	ctx context.Context, products []string, filter ChangeFilter,
) ([]StoredActivity, time.Time, error) {
	q := newActivityQuery("changes of activities", fmt.Sprintf(`%s, toUnixTimestamp64Micro(written_at) AS written
		FROM conversation_activity WHERE product_id IN (SELECT product FROM wanted) AND %s
		ORDER BY written_at LIMIT %d WITH TIES`, storedActivities, filter.condition(), changesPage),
		[]ch.ExternalTable{externalTable("wanted", input("product", stringsOf(products)))})
	written := result[proto.ColInt64](&q.query, "written")
	last := int64(0)
	activities, err := collect(ctx, l, &q.query, func(row int) StoredActivity {
		last = max(last, written.Row(row))
		return q.activity(row)
	})
	return activities, filter.readTo(len(activities), last), err
}
