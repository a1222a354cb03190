package connection

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/token"
)

// record runs p's recorder; the function returned ends it and waits for it.
func (p *process) record(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.recorder.Run(ctx) }()
	t.Cleanup(cancel)
	return func() { cancel(); <-done }
}

var one = Counts{Accepted: 1}

func between(first, last time.Time) Activity {
	return activityBetween(first.UnixMilli(), last.UnixMilli())
}

// written are the records of a connection's activity, without what was counted.
func (p *process) written(t *testing.T, id string) (all []Activity) {
	t.Helper()
	synctest.Wait()
	for _, value := range p.log.topic.values(activityKey(id)) {
		a, err := decodeActivity(value)
		require.NoError(t, err)
		a.edges = nil
		all = append(all, a)
	}
	return all
}

func TestRecorderWritesTheFirstEventAtOnceAndThenAtIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, newTopic(), token.NewKey(), nil)
		id := p.create(t, CreateParams{}).Connection.ID
		stop := p.record(t)
		defer stop()
		at := time.UnixMilli(1779105600000).UTC()
		p.recorder.Seen(id, at, one)
		require.Equal(t, []Activity{between(at, at)}, p.written(t, id))

		for i := range 1000 {
			p.recorder.Seen(id, at.Add(time.Duration(i)*time.Second), one)
		}
		last := at.Add(999 * time.Second)
		require.Len(t, p.written(t, id), 1)
		time.Sleep(ActivityInterval)
		require.Equal(t, []Activity{between(at, at), between(at, last)}, p.written(t, id))

		p.recorder.Seen(id, at.Add(-time.Second), one) // clocks step back
		time.Sleep(ActivityInterval)
		require.Equal(t, between(at.Add(-time.Second), last), p.written(t, id)[2])

		p.recorder.Seen(id, at, Counts{}) // an empty batch
		time.Sleep(10 * ActivityInterval)
		require.Len(t, p.written(t, id), 3, "nothing new, nothing written")
	})
}

func TestRecorderFlushesAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic, key := newTopic(), token.NewKey()
		p := start(t, topic, key, nil)
		id := p.create(t, CreateParams{}).Connection.ID
		stop := p.record(t)
		at := time.UnixMilli(1779105600000).UTC()
		p.recorder.Seen(id, at, one)
		require.Len(t, p.written(t, id), 1)
		p.recorder.Seen(id, at.Add(time.Second), one)
		stop()
		require.Equal(t, between(at, at.Add(time.Second)), p.written(t, id)[1])

		again := start(t, topic, key, nil) // a restart: the first event ever was long ago
		stop = again.record(t)
		defer stop()
		again.recorder.Seen(id, at.Add(time.Minute), one)
		require.Len(t, again.written(t, id), 2)
		time.Sleep(ActivityInterval)
		require.Equal(t, between(at, at.Add(time.Minute)), again.written(t, id)[2])
	})
}

func TestRecorder_FailedWrite_IsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, newTopic(), token.NewKey(), nil)
		id := p.create(t, CreateParams{}).Connection.ID
		stop := p.record(t)
		defer stop()
		p.log.broken.Store(true)
		at := time.UnixMilli(1779105600000).UTC()
		p.recorder.Seen(id, at, one)
		time.Sleep(ActivityInterval)
		require.Empty(t, p.written(t, id))
		require.Equal(t, 2, count(t, p.metrics.activityFailures))
		p.log.broken.Store(false)
		time.Sleep(ActivityInterval)
		require.Equal(t, []Activity{between(at, at)}, p.written(t, id))
	})
}

// Two edges that write over each other end up agreeing, with the record that compaction keeps.
func TestRecorders_Converge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic, key := newTopic(), token.NewKey()
		a, b := start(t, topic, key, nil), start(t, topic, key, nil)
		id := a.create(t, CreateParams{}).Connection.ID
		b.catchUp(t)
		defer a.record(t)()
		defer b.record(t)()
		a.recorder.Seen(id, time.UnixMilli(1000), one)
		b.recorder.Seen(id, time.UnixMilli(2000), one) // before it can know of the other's
		a.recorder.Seen(id, time.UnixMilli(3000), one)
		time.Sleep(3 * ActivityInterval)
		written := a.written(t, id)
		require.Equal(t, activityBetween(1000, 3000), written[len(written)-1])
		time.Sleep(3 * ActivityInterval)
		require.Len(t, a.written(t, id), len(written), "and then rest")
	})
}

// A record after the tombstone would bring the activity back for good.
func TestRecorder_DeletedConnection_WritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, newTopic(), token.NewKey(), nil)
		id := p.create(t, CreateParams{}).Connection.ID
		stop := p.record(t)
		p.recorder.Seen(id, time.UnixMilli(1000), one)
		require.Len(t, p.written(t, id), 1)
		p.recorder.Seen(id, time.UnixMilli(2000), one)
		p.log.topic.append(connectionKey(id), nil)
		p.catchUp(t)
		p.recorder.Seen(id, time.UnixMilli(3000), one)
		p.recorder.Seen(token.NewConnectionID(), time.UnixMilli(3000), one)
		stop()
		require.Len(t, p.written(t, id), 1)
	})
}

// More first events than wait for their record: none blocks, and the interval catches the rest.
func TestRecorderBeyondItsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, newTopic(), token.NewKey(), nil)
		c := sampleConnection(t)
		ids := make([]string, activityFirsts+10)
		for i := range ids {
			c.ID = token.NewConnectionID()
			ids[i] = c.ID
			p.log.topic.append(connectionKey(c.ID), encoded(t, c))
		}
		p.catchUp(t)
		for _, id := range ids {
			p.recorder.Seen(id, time.UnixMilli(1000), one)
		}
		require.Len(t, p.recorder.firsts, activityFirsts)
		defer p.record(t)()
		time.Sleep(ActivityInterval)
		for _, id := range ids {
			require.Len(t, p.written(t, id), 1)
		}
	})
}

func TestSeenAllocatesNothing(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	id := p.create(t, CreateParams{}).Connection.ID
	at := time.UnixMilli(1779105600000)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		at = at.Add(time.Millisecond)
		p.recorder.Seen(id, at, one)
		p.recorder.Seen(id, at, Counts{Ignored: 2, Dead: 1, Paused: 1})
	}))
}

func BenchmarkSeen(b *testing.B) {
	p := start(b, newTopic(), token.NewKey(), nil)
	id := p.create(b, CreateParams{}).Connection.ID
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.recorder.Seen(id, time.Now(), one)
		}
	})
}
