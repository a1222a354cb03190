package loader

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// still is a loader with all partitions of a world, in which nothing moves on its own.
func (w *world) still(t *testing.T) *running {
	r := w.prepare(t)
	products := warehouse.NewProducts()
	products.Append([]byte("w"), []byte("p"), 0)
	require.NoError(t, r.attributor.lookup.Insert(t.Context(), products))
	r.setMembership(trusted{}, nil)
	return r
}

// forLong makes r the owner of its partitions for long: nothing is to be gone back for, and what was written since a time
// is to be heard yet.
func (r *running) forLong(t *testing.T, since time.Time) {
	a := r.attributor
	require.NoError(t, a.learn(t.Context()))
	a.taken, a.caughtUp, a.learntTo, a.polled = time.Time{}, since, since, time.Time{}
}

// trusted is a member that nobody takes partitions from.
type trusted struct{ consumer }

func (trusted) Confirm(context.Context, []stream.Partition) error { return nil }

func (r *running) assign(t *testing.T, p stream.Partition) {
	r.Assigned([]stream.Partition{p})
	t.Cleanup(func() { r.Revoked([]stream.Partition{p}, true) })
}

// workOff learns, and works in whatever there is, rests or not.
func (a *attributor) workOff(ctx context.Context) error {
	if err := a.learn(ctx); err != nil {
		return err
	}
	for {
		desks, _ := a.pick(time.Now().Add(time.Hour))
		if len(desks) == 0 {
			return nil
		}
		if err := a.pass(ctx, desks); err != nil {
			return err
		}
	}
}

// board takes messages as far as learning from them.
func (w *world) board(t *testing.T, r *running, messages ...said) *boarding {
	return w.boardIn(t, r, 0, messages...)
}

func (w *world) boardIn(t *testing.T, r *running, partition int32, messages ...said) *boarding {
	f := newEventBuilder(w.ingest(partition), r.metrics.countMalformed)
	for i := range messages {
		m := &messages[i]
		_, err := f.append(&stream.Entry{Kind: []byte(m.kind), Workspace: []byte(m.workspace), Product: []byte(m.product), Connection: []byte("c"), Provider: []byte("api"),
			ReceivedAt: noon.Add(time.Hour).UnixMicro() + int64(i), Offset: int64(i), Value: m.message(t)})
		require.NoError(t, err)
	}
	b := &boarding{lane: r.workers[w.ingest(partition)], a: r.attributor, events: f, flight: r.attributor.identities.Begin(), news: newsOf{}}
	b.board()
	require.NoError(t, b.lookUp(t.Context()))
	b.learn()
	return b
}

// land takes a boarding the rest of the way.
func (b *boarding) land(t *testing.T) {
	require.NoError(t, b.write())
	require.NoError(t, b.converse())
	require.NoError(t, b.lane.service.inserter.Insert(t.Context(), b.events.block(), fmt.Sprint(time.Now())))
	b.flight.End()
}

// An activity that was resolved before an identify was learnt, and is written after that was worked in, must
// not stay somebody else's.
func TestAnActivityInTheAirIsRevisedToo(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	r := w.still(t)
	r.assign(t, w.ingest(0))
	slow := w.board(t, r, activity("c1", "", "1@x.io", 0))
	w.board(t, r, identify("u1", "1@x.io", 0), happened("e", "u1", "", time.Minute)).land(t)
	passed := make(chan error)
	go func() { passed <- r.attributor.workOff(t.Context()) }()
	time.Sleep(2 * time.Second) // more than it takes to read the activities; what is slower hides the bug, no more
	slow.land(t)
	require.NoError(t, <-passed)
	require.NoError(t, r.attributor.workOff(t.Context()))
	require.Equal(t, identity.UserID([]byte("w"), []byte("u1")).String(), w.db.Exec(t, "SELECT user_id FROM conversation_activity FINAL"))
	require.Equal(t, map[string]string{"e": "u1 c1"}, w.attributed(t))
}

func (w *world) claims(t *testing.T, written, rows string) {
	w.db.Exec(t, `INSERT INTO user_claims (workspace_id, external_user_id, email, user_id, explicit_first, event_first, name_first, name_last, writer, written_at)
		SELECT 'w', c1, c2, toUUID(c3), (9223372036854775807, ''), (c4, 'api'), (9223372036854775807, ''), (-9223372036854775808, ''), 99, now64(6) - INTERVAL `+written+` FROM VALUES(`+rows+`)`)
}

// A partition that comes while others' news is worked in has progress of its own, which that must not overtake.
func TestProgressIsNotSavedForWhatHasYetToBeResumed(t *testing.T) {
	w := newWorld(t, 1)
	r := w.still(t)
	a, group := r.attributor, w.config.Consumer.Group
	before := time.Now().Add(-time.Hour).Truncate(time.Microsecond).UTC()
	require.NoError(t, a.lookup.SaveProgress(t.Context(), group, []int32{0}, before))
	require.NoError(t, a.learn(t.Context()))
	r.assign(t, w.ingest(0)) // between take and save
	require.NoError(t, a.save(t.Context()))
	progress, err := a.lookup.Progress(t.Context(), group)
	require.NoError(t, err)
	require.Equal(t, before, progress[0])
}

// A loader passes for the first time before it has any partition. That must not make it read from the beginning.
func TestALoaderGoesOnWhereItsPartitionsWere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	r := w.still(t)
	a := r.attributor
	w.db.Exec(t, `INSERT INTO user_claims (workspace_id, external_user_id, user_id, explicit_first, writer, written_at)
		SELECT 'w', toString(number), generateUUIDv4(), (1, 'identify'), 99, now64(6) - INTERVAL 2 HOUR + toIntervalMillisecond(number) FROM numbers(60000)`)
	at := time.Now().Add(-time.Hour)
	require.NoError(t, a.lookup.SaveProgress(t.Context(), w.config.Consumer.Group, []int32{0}, at))
	require.NoError(t, a.learn(t.Context()))
	r.assign(t, w.ingest(0))
	for !a.taken.IsZero() || a.caughtUp.IsZero() {
		require.NoError(t, a.learn(t.Context()))
		require.False(t, a.learntTo.Before(at.Add(-w.config.Warehouse.Timeout).Truncate(time.Microsecond)), "it is at %s", a.learntTo)
		time.Sleep(time.Second)
	}
	require.False(t, a.learntTo.Before(at.Add(-w.config.Warehouse.Timeout)), "it is at %s", a.learntTo)
}

// An address that many have come with, each from an earlier time: what is stored is about one of the later, and
// names nothing but its external id.
func TestWhoeverHasHeldAnAddressIsReconsidered(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	r := w.still(t)
	r.assign(t, w.ingest(0))
	a := r.attributor
	row := func(n int, at int) string {
		id := fmt.Sprintf("u%d", n)
		return fmt.Sprintf("('%s', '1@x.io', '%s', %d)", id, identity.UserID([]byte("w"), []byte(id)), at)
	}
	w.board(t, r, happened("e", "u39", "", 0)).land(t)
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
	kfakeOnly(t)
	w := newWorld(t, 1)
	r := w.still(t)
	r.assign(t, w.ingest(0))
	var list []said
	for i := range 1000 {
		list = append(list, activity("c1", "u1", "", time.Duration(i)*time.Hour))
	}
	w.board(t, r, list...).land(t)
	q := newQuestions()
	u := warehouse.ProductUser{Product: "p", User: identity.UserID([]byte("w"), []byte("u1"))}
	for _, at := range []time.Duration{0, 999 * time.Hour} { // a late event and one on time
		q.ask(u, noon.Add(at).UnixMilli())
	}
	found, err := q.answer(t.Context(), r.attributor.lookup)
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
	kfakeOnly(t)
	w := newWorld(t, 1)
	r := w.still(t)
	r.assign(t, w.ingest(0))
	a := r.attributor
	w.board(t, r, happened("e", "u1", "", 0)).land(t)
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
	kfakeOnly(t)
	t.Parallel()
	w := newWorld(t, 1)
	r := w.still(t)
	r.assign(t, w.ingest(0))
	w.board(t, r, activity("c1", "u1", "", 0)).land(t)
	w.db.Exec(t, "SYSTEM STOP MERGES products")
	before := w.db.Exec(t, "SELECT count() FROM products")
	affected := warehouse.Affected{Products: []string{"p"}, Users: []identity.ID{identity.UserID([]byte("w"), []byte("u1"))}}
	busy, release := make(chan struct{}, 4), make(chan struct{})
	var reading sync.WaitGroup
	for range cap(busy) { // as many as there are connections
		reading.Go(func() {
			_ = r.attributor.lookup.Activities(t.Context(), &affected, func([]warehouse.StoredActivity) error {
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
	require.NoError(t, r.attributor.lookup.Insert(t.Context(), products))
	reading.Wait()
	require.Equal(t, "1", w.db.Exec(t, "SELECT count() FROM products WHERE workspace_id = 'v'"), "and %s before", before)
}

// News that are read back and cannot be worked in are read back again, from where that has come, and nobody else's are.
func TestAReadBackThatFailsGoesOn(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	r := w.still(t)
	r.assign(t, w.ingest(0))
	a := r.attributor
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
