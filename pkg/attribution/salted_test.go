package attribution

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// twoOwners returns two loaders. Each has owned one of the product's two partitions for long.
func (w *world) twoOwners(t *testing.T) (one, other *testService) {
	one, other = w.service(t), w.service(t)
	for id, r := range []*testService{one, other} {
		r.assign(t, int32(id))
		r.begin(t, int32(id), event("seen", "u39", "", -24*time.Hour)).store(t) // writes the product and its partition
		r.settleOwnership(t, time.Now().Add(-time.Hour))
	}
	return one, other
}

// pulls makes a loader pull and apply the rows that were just written, with written_at a minute earlier: the time is
// safe.
func (w *world) pulls(t *testing.T, r *testService) {
	for _, table := range []string{"conversation_activity", "user_claims"} {
		w.db.Exec(t, "INSERT INTO "+table+
			" SELECT * REPLACE (written_at - INTERVAL 1 MINUTE AS written_at) FROM "+table)
	}
	r.pulledUntil, r.pulledAt = time.Now().Add(-time.Hour), time.Time{}
	require.NoError(t, r.applyAll(t.Context()))
}

func (w *world) requireAttributed(t *testing.T, want map[string]string) {
	t.Helper()
	got := w.attributed(t)
	delete(got, "seen") // of twoOwners
	require.Equal(t, want, got)
}

// An activity and an event of one user are in partitions of two loaders: one names the address, the other the id.
// Neither is stored when the other is resolved.
func TestService_ActivityInRemotePartition_IsFound(t *testing.T) {
	w := newWorld(t, 2)
	one, other := w.twoOwners(t)
	other.begin(t, 1, identify("u1", "1@x.io", -time.Hour)).store(t)
	named := event("named", "", "", 0)
	named.conversation = "c1"
	other.begin(t, 1, event("e", "u1", "", time.Minute), named).store(t)
	one.begin(t, 0, activity("c1", "", "1@x.io", 0)).store(t)
	require.NoError(t, one.applyAll(t.Context()))
	w.requireAttributed(t, map[string]string{"e": "u1 -", "named": "- -"})
	w.pulls(t, other)
	w.requireAttributed(t, map[string]string{"e": "u1 c1", "named": "- c1"})
	other.begin(t, 1, event("later", "u1", "", 2*time.Minute)).store(t)
	w.requireAttributed(t, map[string]string{"e": "u1 c1", "named": "- c1", "later": "u1 c1"})
}

// An activity gets another user, and its loader revises it before the other loader pulls. The event there loses its
// conversation.
func TestService_ActivityRevisedRemotely_RevisesEvents(t *testing.T) {
	w := newWorld(t, 2)
	one, other := w.twoOwners(t)
	one.begin(t, 0, identify("u1", "1@x.io", -time.Hour), activity("c1", "", "1@x.io", 0)).store(t)
	other.begin(t, 1, event("e", "u1", "", time.Minute)).store(t)
	w.pulls(t, other)
	w.requireAttributed(t, map[string]string{"e": "u1 c1"})
	one.begin(t, 0, identify("u2", "1@x.io", -2*time.Hour)).store(t)
	require.NoError(t, one.applyAll(t.Context()))
	require.Equal(t, userID("u2").String(), w.db.Exec(t, "SELECT user_id FROM conversation_activity FINAL"))
	w.requireAttributed(t, map[string]string{"e": "u1 c1"})
	// A change of u1 would be another reason to revise e.
	for _, table := range []string{"user_claims", "user_claims_by_email"} {
		w.db.Exec(t, "ALTER TABLE "+table+" DELETE WHERE external_user_id = 'u1' SETTINGS mutations_sync = 1")
	}
	w.db.Exec(t, "OPTIMIZE TABLE conversation_activity FINAL") // removes the row with the previous user
	w.pulls(t, other)
	w.requireAttributed(t, map[string]string{"e": "u1 -"})
}

// A loader revises only rows of its own partitions. Batches of other partitions may be in progress elsewhere.
func TestService_RemotePartition_IsNotRevised(t *testing.T) {
	w := newWorld(t, 2)
	one, other := w.twoOwners(t)
	one.begin(t, 0, event("first", "u1", "", 0)).store(t)
	other.begin(t, 1, event("second", "u1", "", 0), activity("c1", "u2", "1@x.io", 0)).store(t)
	one.begin(t, 0, identify("u1", "", 0)).store(t)
	require.NoError(t, one.applyAll(t.Context()))
	w.requireAttributed(t, map[string]string{"first": "u1 -", "second": "- -"})
	w.pulls(t, other)
	w.requireAttributed(t, map[string]string{"first": "u1 -", "second": "u1 -"})
}

// An insert, or a revision of activities, writes rows with times from its start, which are visible at its end. Until
// then the watermark stays before its start.
func TestLookup_InsertInProgress_HoldsWatermark(t *testing.T) {
	w := newWorld(t, 1)
	r := w.service(t)
	before, err := r.lookup.SafeTime(t.Context())
	require.NoError(t, err)
	watermark, err := r.lookup.Watermark(t.Context())
	require.NoError(t, err)
	require.False(t, watermark.Before(before), "the control")
	for _, prefix := range []string{"millrace-revision-activity-", "millrace-insert-"} {
		finish := w.startQuery(t, prefix)
		began, err := r.lookup.SafeTime(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Second)
		watermark, err = r.lookup.Watermark(t.Context())
		require.NoError(t, err)
		require.False(t, watermark.After(began), prefix)
		finish()
	}
}

// The first activity of a product is in one partition. A worker of another partition, which has seen the product
// without activities, looks back from then on.
func TestService_FirstActivityInOtherPartition_IsFound(t *testing.T) {
	w := newWorld(t, 2)
	r := w.service(t)
	r.assign(t, 0)
	r.assign(t, 1)
	r.begin(t, 1, identify("u1", "1@x.io", 0), event("before", "u1", "", 0)).store(t)
	r.begin(t, 0, activity("c1", "", "1@x.io", 0)).store(t)
	r.begin(t, 1, event("after", "u1", "", time.Minute)).store(t)
	require.Equal(t, map[string]string{"before": "u1 -", "after": "u1 c1"}, w.attributed(t))
	require.NoError(t, r.applyAll(t.Context()))
	require.Equal(t, map[string]string{"before": "u1 c1", "after": "u1 c1"}, w.attributed(t))
}
