package connection

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/pkg/token"
)

// listed is the connection as an admin tool of its own, started now, lists it.
func listed(t *testing.T, on *memoryTopic, id string) Listed {
	t.Helper()
	synctest.Wait()
	all, err := start(t, on, token.NewKey(), nil).store.List(context.Background())
	require.NoError(t, err)
	for _, l := range all {
		if l.ID == id {
			return l
		}
	}
	require.Fail(t, "the connection is not listed")
	return Listed{}
}

// last is the record of a connection's activity that compaction keeps.
func last(t *testing.T, on *memoryTopic, id string) Activity {
	t.Helper()
	synctest.Wait()
	values := on.values(activityKey(id))
	require.NotEmpty(t, values)
	a, err := decodeActivity(values[len(values)-1])
	require.NoError(t, err)
	return a
}

// edgeNamed is the nth of many edges, after it has counted for some steps. Its clock may stand still meanwhile.
func edgeNamed(n, steps int) tally {
	return tally{fmt.Sprint("edge", n), int64(steps / 2), Counts{Accepted: uint64(steps), Ignored: uint64(steps / 3)}}
}

func TestTalliesMergeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edges := rapid.SampledFrom([]int{3, maxTallies / 2, 2 * maxTallies}).Draw(t, "edges")
		one := rapid.Custom(func(t *rapid.T) Activity {
			steps := rapid.SliceOfN(rapid.IntRange(0, 9), edges, edges).Draw(t, "steps")
			var all []tally
			for n, s := range steps {
				if s > 0 {
					all = append(all, edgeNamed(n, s))
				}
			}
			return Activity{edges: merged(all)}
		})
		a, b, c := one.Draw(t, "a"), one.Draw(t, "b"), one.Draw(t, "c")
		require.Equal(t, a.merge(b), b.merge(a))
		require.Equal(t, a.merge(b).merge(c), a.merge(b.merge(c)))
		require.Equal(t, a, a.merge(a))
		require.Equal(t, a.merge(b), a.merge(b).merge(b))
		require.True(t, a.merge(b).covers(a))
		require.LessOrEqual(t, len(a.merge(b).edges), maxTallies)
		now := time.UnixMilli(0)
		if sum := a.merge(b).Totals(now); edges <= maxTallies {
			require.Equal(t, sum, sum.max(a.Totals(now)), "it only grows")
			require.LessOrEqual(t, sum.Accepted, a.Totals(now).Accepted+b.Totals(now).Accepted)
		}
		encoded, err := encodeActivity(a)
		require.NoError(t, err)
		if again, err := decodeActivity(encoded); len(a.edges) > 0 {
			require.NoError(t, err)
			require.Equal(t, a, again)
		}
	})
}

func TestTallies_OverTheLimit_KeepTheNewest(t *testing.T) {
	var all []tally
	for n := range 3 * maxTallies {
		all = append(all, edgeNamed(n, 1+n))
	}
	kept := merged(all)
	require.Len(t, kept, maxTallies)
	for _, at := range kept {
		require.GreaterOrEqual(t, at.Accepted, uint64(2*maxTallies))
	}
	for i := range kept { // as long as they get
		kept[i].At, kept[i].Counts = 1<<42, Counts{1 << 62, 1 << 62, 1 << 62, 1 << 62}
	}
	b, err := encodeActivity(Activity{edges: kept})
	require.NoError(t, err)
	require.Less(t, len(b), 16<<10)
}

func TestCountsOfRecords(t *testing.T) {
	a := activityBetween(1779105600005, 1779105600006)
	a.edges = tallies{{"A", 7, Counts{1, 2, 3, 4}}}
	b, err := encodeActivity(a)
	require.NoError(t, err)
	require.JSONEq(t, `{"first_event_at":"2026-05-18T12:00:00.005Z","last_event_at":"2026-05-18T12:00:00.006Z",
		"edges":[{"edge":"A","at":7,"accepted":1,"ignored":2,"dead":3,"paused":4}]}`, string(b))
	b, err = json.Marshal(Listed{Activity: a, Totals: a.Totals(time.UnixMilli(7))})
	require.NoError(t, err)
	require.NotContains(t, string(b), "edges", "only the log has each edge's")
	require.Contains(t, string(b), `"totals":{"accepted":1,"ignored":2,"dead":3,"paused":4}`)

	got, err := decodeActivity([]byte(`{"edges":[{"edge":"B","at":1,"ignored":5},{"edge":"A"},{"edge":"","ignored":1},{"edge":"A","at":2,"dead":1},{"edge":"B","at":3,"ignored":4,"new":1}]}`))
	require.NoError(t, err)
	require.Equal(t, Activity{edges: tallies{{"A", 2, Counts{Dead: 1}}, {"B", 3, Counts{Ignored: 5}}}}, got)
	for _, text := range []string{`{"edges":[]}`, `{"edges":[{"edge":"A","at":1}]}`, `{"edges":{}}`, `{"edges":[{"edge":"A","ignored":-1}]}`} {
		_, err := decodeActivity([]byte(text))
		require.Error(t, err, text)
	}
}

// Whoever connects a source that sends other types only has to see it; nothing was accepted for that.
func TestIgnoredMessagesLeaveAConnectionWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := newTopic()
		p := start(t, topic, token.NewKey(), nil)
		id := p.create(t, CreateParams{}).Connection.ID
		defer p.record(t)()
		p.recorder.Seen(id, time.Now(), Counts{Ignored: 2})
		p.recorder.Seen(id, time.Now(), Counts{Ignored: 1, Dead: 1})
		require.Empty(t, p.written(t, id), "there is time until the interval")
		time.Sleep(ActivityInterval)
		require.Len(t, p.written(t, id), 1)
		l := listed(t, topic, id)
		require.Equal(t, StatusWaiting, l.Status)
		require.Equal(t, Counts{Ignored: 3, Dead: 1}, l.Totals)
		time.Sleep(10 * ActivityInterval)
		require.Len(t, p.written(t, id), 1, "nothing new, nothing written")

		p.recorder.Seen(id, time.Now(), Counts{Accepted: 2, Ignored: 1})
		require.Len(t, p.written(t, id), 2, "the first event is written at once, whatever was counted before")
		l = listed(t, topic, id)
		require.Equal(t, StatusActive, l.Status)
		require.Equal(t, Counts{Accepted: 2, Ignored: 4, Dead: 1}, l.Totals)
	})
}

func TestCountsOfTwoEdgesAndARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic, key := newTopic(), token.NewKey()
		a, b := start(t, topic, key, nil), start(t, topic, key, nil)
		require.NotEqual(t, a.recorder.edge, b.recorder.edge)
		id := a.create(t, CreateParams{}).Connection.ID
		b.catchUp(t)
		stop := a.record(t)
		defer b.record(t)()
		for range 5 { // both at once, so that each writes over what it does not know of
			a.recorder.Seen(id, time.Now(), Counts{Accepted: 1, Ignored: 1})
			b.recorder.Seen(id, time.Now(), Counts{Ignored: 2})
			time.Sleep(ActivityInterval)
		}
		time.Sleep(2 * ActivityInterval)
		both := Counts{Accepted: 5, Ignored: 15}
		require.Equal(t, both, listed(t, topic, id).Totals)
		require.Equal(t, both, last(t, topic, id).Totals(time.Now()), "also where compaction left the last record alone")
		records := len(a.written(t, id))
		require.LessOrEqual(t, records, 1+2*7, "each at most once an interval, the first event apart")
		time.Sleep(10 * ActivityInterval)
		require.Len(t, a.written(t, id), records, "and then rest")

		a.recorder.Seen(id, time.Now(), one)
		stop()
		again := start(t, topic, key, nil)
		defer again.record(t)()
		again.recorder.Seen(id, time.Now(), Counts{Paused: 1})
		time.Sleep(2 * ActivityInterval)
		require.Equal(t, Counts{Accepted: 6, Ignored: 15, Paused: 1}, last(t, topic, id).Totals(time.Now()))
	})
}

func TestTallies_OlderThanADay_AreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic, key := newTopic(), token.NewKey()
		ended := start(t, topic, key, nil)
		id := ended.create(t, CreateParams{}).Connection.ID
		stop := ended.record(t)
		ended.recorder.Seen(id, time.Now(), Counts{Accepted: 7})
		stop()
		p := start(t, topic, key, nil)
		stop = p.record(t)
		time.Sleep(tallyTTL - time.Minute)
		require.Equal(t, uint64(7), listed(t, topic, id).Totals.Accepted)
		time.Sleep(2 * time.Minute)
		p.recorder.Seen(id, time.Now(), Counts{Ignored: 1})
		time.Sleep(ActivityInterval)
		require.Equal(t, Counts{Ignored: 1}, listed(t, topic, id).Totals)
		require.Len(t, last(t, topic, id).edges, 1, "the record is small again")
		require.Len(t, get(&p.registry.index, id).activity.Load().edges, 1, "and memory")
		require.Equal(t, StatusActive, listed(t, topic, id).Status)
		stop()

		// An edge whose clock is behind has the old tally in its record. That is no reason to write another.
		records := len(p.written(t, id))
		value, err := encodeActivity(Activity{edges: tallies{{"behind", time.Now().Add(-tallyTTL - time.Second).UnixMilli(), one}}}.merge(last(t, topic, id)))
		require.NoError(t, err)
		topic.append(activityKey(id), value)
		defer p.record(t)()
		time.Sleep(10 * ActivityInterval)
		require.Len(t, p.written(t, id), records+1)
	})
}

// Edges of before there were counts run beside new ones while all are upgraded.
func TestCounts_RecordsWithoutTallies_KeepCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic, key := newTopic(), token.NewKey()
		ended := start(t, topic, key, nil)
		id := ended.create(t, CreateParams{}).Connection.ID
		stop := ended.record(t)
		ended.recorder.Seen(id, time.Now(), Counts{Accepted: 1, Ignored: 2})
		stop()
		p := start(t, topic, key, nil)
		defer p.record(t)()
		p.recorder.Seen(id, time.Now(), Counts{Ignored: 3})
		time.Sleep(ActivityInterval)
		counted := Counts{Accepted: 1, Ignored: 5}
		require.Equal(t, counted, last(t, topic, id).Totals(time.Now()))

		old := last(t, topic, id)
		old.edges, old.LastEventAt = nil, old.LastEventAt.Add(time.Second) // they leave out what they do not know
		value, err := encodeActivity(old)
		require.NoError(t, err)
		topic.append(activityKey(id), value)
		require.Zero(t, last(t, topic, id).Totals(time.Now()), "the control: the record has none")
		require.Equal(t, counted, listed(t, topic, id).Totals, "who has read the log before knows")
		time.Sleep(ActivityInterval)
		require.Equal(t, counted, last(t, topic, id).Totals(time.Now()), "an interval later the record has them again")

		// What an old edge reads of that is all that it would write: it has nothing to add.
		var read struct {
			FirstEventAt time.Time `json:"first_event_at,omitzero"`
			LastEventAt  time.Time `json:"last_event_at,omitzero"`
		}
		values := topic.values(activityKey(id))
		require.NoError(t, json.Unmarshal(values[len(values)-1], &read))
		require.Equal(t, old, between(read.FirstEventAt, read.LastEventAt))
	})
}
