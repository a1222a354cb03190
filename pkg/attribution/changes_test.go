package attribution

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// An activity that was resolved before an identify was learnt, and is written after that was worked in, must
// not stay somebody else's.
func TestAnActivityInTheAirIsRevisedToo(t *testing.T) {

	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	slow := r.begin(t, 0, activity("c1", "", "1@x.io", 0))
	r.begin(t, 0, identify("u1", "1@x.io", 0), event("e", "u1", "", time.Minute)).store(t)
	passed := make(chan error)
	go func() { passed <- r.workOff(t.Context()) }()
	time.Sleep(2 * time.Second) // more than it takes to read the activities; what is slower hides the bug, no more
	slow.store(t)
	require.NoError(t, <-passed)
	require.NoError(t, r.workOff(t.Context()))
	require.Equal(t, identity.UserID([]byte("w"), []byte("u1")).String(), w.db.Exec(t, "SELECT user_id FROM conversation_activity FINAL"))
	require.Equal(t, map[string]string{"e": "u1 c1"}, w.attributed(t))
}

// A partition that comes while others' news is worked in has progress of its own, which that must not overtake.
func TestProgressIsNotSavedForWhatHasYetToBeResumed(t *testing.T) {
	w := newWorld(t, 1)
	r := w.service(t)
	a, group := r.Service, w.config.Group
	before := time.Now().Add(-time.Hour).Truncate(time.Microsecond).UTC()
	require.NoError(t, a.lookup.SaveProgress(t.Context(), group, []int32{0}, before))
	require.NoError(t, a.learn(t.Context()))
	r.assign(t, 0) // between take and save
	require.NoError(t, a.save(t.Context()))
	progress, err := a.lookup.Progress(t.Context(), group)
	require.NoError(t, err)
	require.Equal(t, before, progress[0])
}

// A loader passes for the first time before it has any partition. That must not make it read from the beginning.
func TestALoaderGoesOnWhereItsPartitionsWere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	r := w.service(t)
	a := r.Service
	w.db.Exec(t, `INSERT INTO user_claims (workspace_id, external_user_id, user_id, explicit_first, writer, written_at)
		SELECT 'w', toString(number), generateUUIDv4(), (1, 'identify'), 99, now64(6) - INTERVAL 2 HOUR + toIntervalMillisecond(number) FROM numbers(60000)`)
	at := time.Now().Add(-time.Hour)
	require.NoError(t, a.lookup.SaveProgress(t.Context(), w.config.Group, []int32{0}, at))
	require.NoError(t, a.learn(t.Context()))
	r.assign(t, 0)
	for !a.taken.IsZero() || a.caughtUp.IsZero() {
		require.NoError(t, a.learn(t.Context()))
		require.False(t, a.learntTo.Before(at.Add(-w.config.WriteTimeout).Truncate(time.Microsecond)), "it is at %s", a.learntTo)
		time.Sleep(time.Second)
	}
	require.False(t, a.learntTo.Before(at.Add(-w.config.WriteTimeout)), "it is at %s", a.learntTo)
}

// An address that many have come with, each from an earlier time: what is stored is about one of the later, and
// names nothing but its external id.
func TestWhoeverHasHeldAnAddressIsReconsidered(t *testing.T) {

	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	a := r.Service
	row := func(n int, at int) string {
		id := fmt.Sprintf("u%d", n)
		return fmt.Sprintf("('%s', '1@x.io', '%s', %d)", id, identity.UserID([]byte("w"), []byte(id)), at)
	}
	r.begin(t, 0, event("e", "u39", "", 0)).store(t)
	w.claims(t, "2 HOUR", row(39, 1000))
	r.forLong(t, time.Now().Add(-3*time.Hour))
	require.NoError(t, a.workOff(t.Context()))
	require.Equal(t, map[string]string{"e": "u39 -"}, w.attributed(t))
	var rows []string
	for n := range 20 {
		rows = append(rows, row(n, n))
	}
	w.claims(t, "1 HOUR", strings.Join(rows, ","))
	a.learntTo, a.polled = time.Now().Add(-90*time.Minute), time.Time{}
	require.NoError(t, a.workOff(t.Context()))
	require.Equal(t, map[string]string{"e": "- -"}, w.attributed(t))
}

// The look-back asks for 15 minutes before each event, not for all that the users of a block have ever done.
func TestTheLookBackReadsNoMoreThanItNeeds(t *testing.T) {

	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	var list []message
	for i := range 1000 {
		list = append(list, activity("c1", "u1", "", time.Duration(i)*time.Hour))
	}
	r.begin(t, 0, list...).store(t)
	q := newQuestions()
	u := warehouse.ProductUser{Product: "p", User: identity.UserID([]byte("w"), []byte("u1"))}
	for _, at := range []time.Duration{0, 999 * time.Hour} { // a late event and one on time
		q.ask(u, noon.Add(at).UnixMilli())
	}
	found, err := q.answer(t.Context(), r.lookup)
	require.NoError(t, err)
	require.Contains(t, slices.Collect(func(yield func(int64) bool) {
		for _, x := range found.activities[u] {
			if !yield(x.At) {
				return
			}
		}
	}), noon.Add(999*time.Hour).UnixMilli())
	require.LessOrEqual(t, len(found.activities[u]), 4)
}

// News that are too many to be kept are read back from what is written; also those whose chunk had more to write
// behind them, for half a minute.
func TestNewsThatWereForgottenAreReadBack(t *testing.T) {

	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	a := r.Service
	r.begin(t, 0, event("e", "u1", "", 0)).store(t)
	r.forLong(t, time.Now())
	w.claims(t, "30 SECOND", fmt.Sprintf("('u1', '1@x.io', '%s', 1000)", identity.UserID([]byte("w"), []byte("u1"))))
	n := &news{moved: []moved{{"w", "u1", "1@x.io"}}}
	for len(n.moved) <= maxNews {
		n.moved = append(n.moved, moved{"w", "somebody", ""})
	}
	a.announce(newsOf{"w": n})
	require.True(t, a.desks["w"].lost)
	require.Empty(t, a.desks["w"].moved)
	require.NoError(t, a.workOff(t.Context()))
	require.Equal(t, map[string]string{"e": "u1 -"}, w.attributed(t))
}

// What waits for a connection has not been slow to write.
func TestWhatWaitedForItsTurnIsWrittenOnce(t *testing.T) {

	t.Parallel()
	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	r.begin(t, 0, activity("c1", "u1", "", 0)).store(t)
	w.db.Exec(t, "SYSTEM STOP MERGES products")
	before := w.db.Exec(t, "SELECT count() FROM products")
	affected := warehouse.AffectedRows{Products: []string{"p"}, Users: []identity.ID{identity.UserID([]byte("w"), []byte("u1"))}}
	busy, release := make(chan struct{}, 4), make(chan struct{})
	var reading sync.WaitGroup
	for range cap(busy) { // as many as there are connections
		reading.Go(func() {
			_ = r.lookup.AffectedActivities(t.Context(), &affected, func([]warehouse.StoredActivity) error {
				busy <- struct{}{}
				<-release
				return nil
			})
		})
	}
	for range cap(busy) {
		<-busy
	}
	time.AfterFunc(settling/2+time.Second, func() { close(release) })
	products := warehouse.NewProducts()
	products.Append([]byte("v"), []byte("q"), 0)
	require.NoError(t, r.lookup.Insert(t.Context(), products))
	reading.Wait()
	require.Equal(t, "1", w.db.Exec(t, "SELECT count() FROM products WHERE workspace_id = 'v'"), "and %s before", before)
}

// News that are read back and cannot be worked in are read back again, from where that has come, and nobody else's are.
func TestAReadBackThatFailsGoesOn(t *testing.T) {

	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	a := r.Service
	require.NoError(t, a.learn(t.Context()))
	from := a.learntTo
	a.deskOf("w").lost, a.deskOf("w").from = true, from
	w.db.Exec(t, "RENAME TABLE user_claims TO hidden")
	for range 3 {
		desks, _ := a.pick(time.Now().Add(time.Hour))
		require.Len(t, desks, 1)
		require.Error(t, a.pass(t.Context(), desks))
		require.True(t, a.desks["w"].lost)
		require.Equal(t, from, a.desks["w"].from)
		require.Equal(t, from, a.progress())
	}
	w.db.Exec(t, "RENAME TABLE hidden TO user_claims")
	require.NoError(t, a.workOff(t.Context()))
	require.Empty(t, a.desks)
}
