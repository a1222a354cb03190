package warehouse

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/identity"
)

// Pages of a sweep are in the order of the sorting key. Rows of a workspace or product are read once, whatever their times.
func TestLookup_Sweep_ReadsAllPages(t *testing.T) {
	db, config := migrated(t)
	l := lookup(t, config)
	const rows = 2*changesPage + 10
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, workspace := range []string{"v", "w", "x"} {
		db.Exec(t, fmt.Sprintf(`INSERT INTO user_claims (workspace_id, external_user_id, email, user_id, explicit_first, writer,
			written_at) SELECT '%s', if(number %% 3 = 0, '', concat('é', toString(number))), toString(number), generateUUIDv4(),
			(1, ''), number %% 2, toDateTime64('2026-01-02 00:00:00', 6, 'UTC') - number FROM numbers(%d)`, workspace, rows))
		db.Exec(t, fmt.Sprintf(`INSERT INTO conversation_activity (workspace_id, product_id, external_conversation_id,
			activity_at, version, written_at) SELECT '%s', 'p%[1]s', toString(number),
			toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + intDiv(number, 7), 1, '2026-01-02 00:00:00' FROM numbers(%d)`, workspace, rows))
	}
	claims, claim := map[string]bool{}, ClaimCursor{}
	for more := true; more; {
		var page []identity.Claim
		var err error
		page, more, err = l.SweepClaims(t.Context(), "w", since, &claim)
		require.NoError(t, err)
		for _, c := range page {
			require.Equal(t, "w", string(c.Workspace))
			require.False(t, claims[string(c.Email)], "read twice")
			claims[string(c.Email)] = true
		}
	}
	require.Len(t, claims, rows)
	activities, activity := map[string]bool{}, ActivityCursor{}
	for more := true; more; {
		var page []StoredActivity
		var err error
		page, more, err = l.SweepActivities(t.Context(), "pw", since, &activity)
		require.NoError(t, err)
		for _, a := range page {
			require.Equal(t, "pw", a.Product)
			require.False(t, activities[a.Conversation], "read twice")
			activities[a.Conversation] = true
		}
	}
	require.Len(t, activities, rows)
	page, more, err := l.SweepClaims(t.Context(), "w", since.Add(48*time.Hour), &ClaimCursor{})
	require.NoError(t, err)
	require.False(t, more)
	require.Empty(t, page)
}
