package attribution

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/identity"
)

// shared are two loaders that have a partition each of a product's two, and have had them for long.
func (w *world) shared(t *testing.T) (one, other *running) {
	one, other = w.service(t), w.service(t)
	for id, r := range []*running{one, other} {
		r.assign(t, int32(id))
		r.begin(t, int32(id), event("seen", "u39", "", -24*time.Hour)).store(t) // so that the product has been seen there
		r.forLong(t, time.Now().Add(-time.Hour))
	}
	return one, other
}

// hears has a loader hear of what was written just now, as if that were a minute ago.
func (w *world) hears(t *testing.T, r *running) {
	for _, table := range []string{"conversation_activity", "user_claims"} {
		w.db.Exec(t, "INSERT INTO "+table+" SELECT * REPLACE (written_at - INTERVAL 1 MINUTE AS written_at) FROM "+table)
	}
	r.learntTo, r.polled = time.Now().Add(-time.Hour), time.Time{}
	require.NoError(t, r.workOff(t.Context()))
}

func (w *world) requireAttributed(t *testing.T, want map[string]string) {
	t.Helper()
	got := w.attributed(t)
	delete(got, "seen") // what shared has sent
	require.Equal(t, want, got)
}

// An activity and the event that followed from it are in partitions of two loaders, since one names the address and the
// other the id; and neither is in the table when the other is resolved.
func TestAnActivityInAnotherLoadersPartitionIsFound(t *testing.T) {

	w := newWorld(t, 2)
	one, other := w.shared(t)
	other.begin(t, 1, identify("u1", "1@x.io", -time.Hour)).store(t)
	named := event("named", "", "", 0)
	named.conversation = "c1"
	other.begin(t, 1, event("e", "u1", "", time.Minute), named).store(t)
	one.begin(t, 0, activity("c1", "", "1@x.io", 0)).store(t)
	require.NoError(t, one.workOff(t.Context()))
	w.requireAttributed(t, map[string]string{"e": "u1 -", "named": "- -"})
	w.hears(t, other)
	w.requireAttributed(t, map[string]string{"e": "u1 c1", "named": "- c1"})
	other.begin(t, 1, event("later", "u1", "", 2*time.Minute)).store(t)
	w.requireAttributed(t, map[string]string{"e": "u1 c1", "named": "- c1", "later": "u1 c1"})
}

// An activity turns out to be somebody else's, and its own loader has put that right before another comes to see it: who
// followed from it there did not.
func TestAnActivityThatWasRevisedByAnotherLoaderIsReconsidered(t *testing.T) {

	w := newWorld(t, 2)
	one, other := w.shared(t)
	one.begin(t, 0, identify("u1", "1@x.io", -time.Hour), activity("c1", "", "1@x.io", 0)).store(t)
	other.begin(t, 1, event("e", "u1", "", time.Minute)).store(t)
	w.hears(t, other)
	w.requireAttributed(t, map[string]string{"e": "u1 c1"})
	one.begin(t, 0, identify("u2", "1@x.io", -2*time.Hour)).store(t)
	require.NoError(t, one.workOff(t.Context()))
	require.Equal(t, identity.UserID([]byte("w"), []byte("u2")).String(), w.db.Exec(t, "SELECT user_id FROM conversation_activity FINAL"))
	w.requireAttributed(t, map[string]string{"e": "u1 c1"})
	w.db.Exec(t, "ALTER TABLE user_claims DELETE WHERE external_user_id = 'u1' SETTINGS mutations_sync = 1") // which would have e looked at for another reason
	w.db.Exec(t, "ALTER TABLE user_claims_by_email DELETE WHERE external_user_id = 'u1' SETTINGS mutations_sync = 1")
	w.db.Exec(t, "OPTIMIZE TABLE conversation_activity FINAL") // and what it was before is not to be seen
	w.hears(t, other)
	w.requireAttributed(t, map[string]string{"e": "u1 -"})
}

// Rows are the loader's that has the partition they came from. What the other wrote is its own to put right: its blocks may
// be in the air.
func TestALoaderRevisesWhatCameFromItsOwnPartitions(t *testing.T) {
	w := newWorld(t, 2)
	one, other := w.shared(t)
	one.begin(t, 0, event("first", "u1", "", 0)).store(t)
	other.begin(t, 1, event("second", "u1", "", 0), activity("c1", "u2", "1@x.io", 0)).store(t)
	one.begin(t, 0, identify("u1", "", 0)).store(t)
	require.NoError(t, one.workOff(t.Context()))
	w.requireAttributed(t, map[string]string{"first": "u1 -", "second": "- -"})
	w.hears(t, other)
	w.requireAttributed(t, map[string]string{"first": "u1 -", "second": "u1 -"})
}

// What a revision of activities writes bears times from its beginning on, and is to be seen at its end: others read no
// further before.
func TestNobodyLooksPastARevisionThatIsUnderWay(t *testing.T) {

	w := newWorld(t, 1)
	r := w.service(t)
	before, err := r.lookup.SafeTime(t.Context())
	require.NoError(t, err)
	calm, err := r.lookup.ActivityWatermark(t.Context())
	require.NoError(t, err)
	require.False(t, calm.Before(before), "the control")
	arrive := w.revising(t, "activity-")
	defer arrive()
	began, err := r.lookup.SafeTime(t.Context())
	require.NoError(t, err)
	time.Sleep(time.Second)
	calm, err = r.lookup.ActivityWatermark(t.Context())
	require.NoError(t, err)
	require.False(t, calm.After(began))
}

// In one loader a lane has the first activity of a product, and another lane has seen that there was none.
func TestALaneLooksBackToWhatAnotherHasWritten(t *testing.T) {

	w := newWorld(t, 2)
	r := w.service(t)
	r.assign(t, 0)
	r.assign(t, 1)
	r.begin(t, 1, identify("u1", "1@x.io", 0), event("before", "u1", "", 0)).store(t)
	r.begin(t, 0, activity("c1", "", "1@x.io", 0)).store(t)
	r.begin(t, 1, event("after", "u1", "", time.Minute)).store(t)
	require.Equal(t, map[string]string{"before": "u1 -", "after": "u1 c1"}, w.attributed(t))
	require.NoError(t, r.workOff(t.Context()))
	require.Equal(t, map[string]string{"before": "u1 c1", "after": "u1 c1"}, w.attributed(t))
}
