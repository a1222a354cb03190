package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"

	"github.com/millrace/millrace/pkg/identity"
)

// A sweep reads all claims or activities that were written since a time, in pages in the order of their sorting key. A
// merge keeps the greatest written_at of the rows of a claim, so pages in the order of written_at would miss rows that
// move past the end of the range. The sorting key of a row never changes, and its written_at never decreases.

// ClaimCursor is a position in a workspace's claims. The zero value is before the first.
type ClaimCursor struct{ ExternalID, Email string }

// SweepClaims returns the next page of a workspace's claims that were written since a time, and moves the cursor to its
// end. more is false for the last page.
func (l *Lookup) SweepClaims(
	ctx context.Context, workspace string, since time.Time, cursor *ClaimCursor,
) (claims []identity.Claim, more bool, err error) {
	scope := stringsOf([]string{workspace})
	q := newClaimQuery("claims since a time", fmt.Sprintf(`%s FROM user_claims
		WHERE workspace_id = (SELECT scope FROM position) AND external_user_id >= (SELECT external_id FROM position)
			AND (external_user_id > (SELECT external_id FROM position) OR email > (SELECT address FROM position))
			AND written_at > fromUnixTimestamp64Micro(%d, 'UTC')
		ORDER BY external_user_id, email LIMIT %d WITH TIES`, storedClaims, since.UnixMicro(), changesPage),
		externalTable("position", input("scope", scope), input("external_id", stringsOf([]string{cursor.ExternalID})),
			input("address", stringsOf([]string{cursor.Email}))))
	claims, err = collect(ctx, l.on(scope), &q.query, q.claim)
	if err != nil || len(claims) < changesPage {
		return claims, false, err
	}
	last := claims[len(claims)-1]
	*cursor = ClaimCursor{string(last.ExternalID), string(last.Email)}
	return claims, true, nil
}

// ActivityCursor is a position in a product's activities. The zero value is before the first.
type ActivityCursor struct {
	started      bool
	at           int64 // Unix milliseconds
	conversation string
}

// SweepActivities returns the next page of a product's activities that were written since a time, and moves the cursor
// to its end. more is false for the last page.
func (l *Lookup) SweepActivities(
	ctx context.Context, product string, since time.Time, cursor *ActivityCursor,
) (activities []StoredActivity, more bool, err error) {
	if !cursor.started {
		cursor.started, cursor.at = true, earliestTime
	}
	wanted := stringsOf([]string{product})
	q := newActivityQuery("activities since a time", fmt.Sprintf(`%s FROM conversation_activity
		WHERE product_id = (SELECT product FROM position) AND activity_at >= %[2]s
			AND (activity_at > %[2]s OR external_conversation_id > (SELECT conversation FROM position))
			AND written_at > fromUnixTimestamp64Micro(%[3]d, 'UTC')
		ORDER BY activity_at, external_conversation_id LIMIT %[4]d WITH TIES`,
		storedActivities, millisecondsSQL(cursor.at), since.UnixMicro(), changesPage),
		[]ch.ExternalTable{externalTable("position", input("product", wanted),
			input("conversation", stringsOf([]string{cursor.conversation})))})
	activities, err = collect(ctx, l.on(wanted), &q.query, q.activity)
	if err != nil || len(activities) < changesPage {
		return activities, false, err
	}
	last := &activities[len(activities)-1]
	cursor.at, cursor.conversation = last.At, last.Conversation
	return activities, true, nil
}
