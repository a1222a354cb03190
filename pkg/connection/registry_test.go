package connection

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/pkg/token"
)

func encoded(t testing.TB, c Connection) []byte {
	t.Helper()
	b, err := encodeConnection(&c)
	require.NoError(t, err)
	return b
}

func encodedActivity(t testing.TB, first, last int64) []byte {
	t.Helper()
	b, err := encodeActivity(activityBetween(first, last))
	require.NoError(t, err)
	return b
}

func TestRegistryFollowsTheLog(t *testing.T) {
	topic, c := newTopic(), sampleConnection(t)
	topic.append(activityKey(anID), encodedActivity(t, 5, 6)) // compaction may leave it in front
	topic.append(connectionKey(anID), encoded(t, c))
	p := start(t, topic, token.NewKey(), nil)
	require.Equal(t, c, *p.registry.Get([]byte(anID)))
	require.Nil(t, p.registry.Get([]byte("0"+anID[1:])))
	require.Nil(t, p.registry.Get(nil))

	c.State, c.Revision = Paused, c.Revision+1
	topic.append(connectionKey(anID), encoded(t, c))
	topic.append(activityKey(anID), encodedActivity(t, 7, 9))
	topic.append(activityKey(anID), encodedActivity(t, 4, 5))
	p.catchUp(t)
	require.Equal(t, Paused, p.registry.Get([]byte(anID)).State)
	e := get(&p.registry.index, anID)
	require.Equal(t, activityBetween(4, 9), *e.activity.Load())
	require.Equal(t, activityBetween(4, 5), *e.written.Load())

	topic.append(connectionKey(anID), nil)
	p.catchUp(t)
	require.Nil(t, p.registry.Get([]byte(anID)))
	topic.append(activityKey(anID), nil)
	topic.append(activityKey(anID), nil)
	p.catchUp(t)
	require.Nil(t, get(&p.registry.index, anID), "nothing is left of it")
	require.Zero(t, count(t, p.metrics.undecodable))
}

func TestRegistrySkipsWhatItCannotRead(t *testing.T) {
	topic, c := newTopic(), sampleConnection(t)
	topic.append(connectionKey(anID), encoded(t, c))
	for _, key := range []string{connectionKey(anID), activityKey(anID), connectionKey("x"), activityKey(""), "", "other/" + anID, anID} {
		topic.append(key, []byte("{"))
	}
	p := start(t, topic, token.NewKey(), nil)
	require.Equal(t, 7, count(t, p.metrics.undecodable))
	require.Equal(t, c, *p.registry.Get([]byte(anID)), "the last readable version stays")
}

func TestRegistryIsFreshForALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLog(newTopic())
		log.cutOff.Store(true)
		r := NewRegistry(log, NewMetrics(nil))
		require.False(t, r.Ready())
		require.False(t, r.Fresh(time.Now()))
		log.cutOff.Store(false)
		require.True(t, r.Ready())
		require.True(t, r.Fresh(time.Now()))
		log.cutOff.Store(true)
		time.Sleep(Lease)
		require.True(t, r.Fresh(time.Now()))
		time.Sleep(time.Nanosecond)
		require.False(t, r.Fresh(time.Now()))
		require.True(t, r.Ready(), "it was ready once")
		log.cutOff.Store(false)
		require.True(t, r.Fresh(time.Now()))
	})
}

func TestAwaitWaitsForTheEndOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLog(newTopic())
		log.cutOff.Store(true)
		r := NewRegistry(log, NewMetrics(nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.ErrorIs(t, r.Await(ctx, time.Now()), context.DeadlineExceeded)
		time.AfterFunc(time.Hour, func() { log.cutOff.Store(false) })
		since := time.Now()
		require.NoError(t, r.Await(t.Context(), since))
		require.GreaterOrEqual(t, time.Since(since), time.Hour)
	})
}

// endedLog is a Log whose Follow gives up.
type endedLog struct {
	Log
	err error
}

func (l *endedLog) Follow(context.Context, func(string, []byte)) error { return l.err }

func TestRegistryRunReportsAnEnd(t *testing.T) {
	cause := errors.New("authorization revoked")
	require.ErrorIs(t, NewRegistry(&endedLog{err: cause}, NewMetrics(nil)).Run(context.Background()), cause)
	require.ErrorContains(t, NewRegistry(&endedLog{}, NewMetrics(nil)).Run(context.Background()), "ended")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, NewRegistry(&endedLog{err: ctx.Err()}, NewMetrics(nil)).Run(ctx))
}

// The index is held to a plain map.
func TestIndexIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		want := map[string]*entry{}
		ids := rapid.SampledFrom([]string{"a", "b", "c", "", anID, "0" + anID[1:]})
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			id := ids.Draw(t, "id")
			if rapid.Bool().Draw(t, "add") {
				e := x.ensure(id)
				if old, ok := want[id]; ok {
					require.Same(t, old, e)
				}
				want[id] = e
			} else {
				x.remove(id)
				delete(want, id)
			}
			require.Equal(t, want[id] != nil, get(&x, []byte(id)) != nil)
		}
		n := 0
		x.each(func(e *entry) { n++; require.Same(t, want[e.id], e) })
		require.Len(t, want, n)
	})
}

func TestIndexIsReadWhileWritten(t *testing.T) {
	var x index
	kept := x.ensure(anID)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if get(&x, anID) != kept {
					panic("an entry was lost while others were added")
				}
			}
		})
	}
	for i := range 20000 {
		x.ensure(fmt.Sprint(i))
		if i%3 == 0 {
			x.remove(fmt.Sprint(i))
		}
	}
	close(stop)
	readers.Wait()
}

func BenchmarkRegistryLoad(b *testing.B) {
	c := sampleConnection(b)
	const n = 100_000
	records := make([]pair, n)
	for i := range records {
		c.ID = token.NewConnectionID()
		records[i] = pair{connectionKey(c.ID), encoded(b, c)}
	}
	b.ReportAllocs()
	for b.Loop() {
		r := NewRegistry(newLog(newTopic()), NewMetrics(nil))
		for _, p := range records {
			r.apply(p.key, p.value)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
