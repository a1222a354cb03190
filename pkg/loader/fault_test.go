package loader

import (
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
	"github.com/millrace/millrace/test/env"
)

// hideEvents makes inserts fail, in loaders that are started after it: they do not look for resends, which would
// fail before.
func (w *world) hideEvents(t *testing.T) {
	w.config.DedupWindow = 0
	w.db.Exec(t, "RENAME TABLE events TO hidden")
}

func (w *world) bringBack(t *testing.T) { w.db.Exec(t, "RENAME TABLE hidden TO events") }

func (r *running) tries(attempt string) func() bool {
	return func() bool { return strings.Contains(r.log.String(), "operation="+attempt+" ") }
}

func TestNothingIsCommittedThatIsNotInserted(t *testing.T) {
	w := newWorld(t, 2)
	w.produce(t, 0, 1000, 10)
	loader := w.load(t)
	w.caughtUp(t)
	w.hideEvents(t)
	w.produce(t, 1000, 2000, 10)
	eventually(t, loader.tries("insert"), "it fails")
	require.Equal(t, int64(1000), w.lag(t))
	w.bringBack(t)
	w.caughtUp(t)
	w.outcomes(t, 2000)
	require.Equal(t, "2000", w.rows(t))
	require.NotZero(t, loader.value(t, "millrace_loader_retries_total", "insert"))
}

func TestClickHouseIsKilledAndComesBack(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 2)
	engine := w.ownEngine(t)
	w.load(t)
	for i := range 3 {
		require.NoError(t, syscall.Kill(engine.Pid(), syscall.SIGKILL))
		w.produce(t, i*1000, i*1000+1000, 10)
		eventually(t, func() bool { return engine.Restarts() == int64(i+1) }, "started again")
	}
	w.caughtUp(t)
	w.outcomes(t, 3000)
}

// ownEngine replaces the world's ClickHouse by one that may be killed.
func (w *world) ownEngine(t *testing.T) *embedded.ClickHouse {
	t.Helper()
	engine, err := embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{Dir: t.TempDir(), Engine: env.Engine(t)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Close(t.Context()) })
	w.db.ClickHouse = engine
	w.config.Warehouse.ClickHouse = engine.Addr()
	_, err = warehouse.Migrate(t.Context(), w.config.Warehouse)
	require.NoError(t, err)
	return engine
}

func TestNothingIsCommittedThatIsNotBuried(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	fault := w.broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: w.client.Topics().DeadLetters, Err: kerr.PolicyViolation, Count: -1})
	w.foreign(t, event(`{"type":"track","event":"E","messageId":"1"}`), event(`broken`))
	loader := w.load(t)
	eventually(t, loader.tries("dead_letters_write"), "it fails")
	require.Equal(t, int64(2), w.lag(t))
	require.Equal(t, "1", w.rows(t), "rows come first")
	fault.Remove()
	eventually(t, func() bool { return w.db.Exec(t, "SELECT count() FROM dead_letters") == "1" }, "it is there")
	w.caughtUp(t)
	w.outcomes(t, 1)
	require.Equal(t, "1", w.rows(t), "and are not sent again")
}

// Blocks that were written but not committed are made again as they were, whatever blocks the next loader would make,
// and ClickHouse knows them by their tokens: there is no second row even before anything is merged.
func TestABlockThatWasNotCommittedIsMadeAgainAsItWas(t *testing.T) {
	kfakeOnly(t)
	t.Parallel()
	w := newWorld(t, 2)
	w.db.Exec(t, "SYSTEM STOP MERGES events")
	w.hideEvents(t)
	w.produce(t, 0, 1000, 10)
	first := w.load(t)
	eventually(t, func() bool { return first.value(t, "millrace_loader_retries_total", "insert") >= 2 }, "the blocks are prepared")
	fault := w.broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	w.bringBack(t)
	eventually(t, first.tries("commit"), "it fails")
	first.stop(t)
	written, err := strconv.Atoi(w.rows(t))
	require.NoError(t, err)
	require.NotZero(t, written, "the control: something was written")
	require.Equal(t, int64(1000), w.lag(t))
	fault.Remove()
	w.config.BlockRows = 70
	second := w.load(t)
	w.caughtUp(t)
	require.Equal(t, float64(1000), second.value(t, "millrace_loader_rows_inserted_total", ""), "the control: they were sent again")
	require.Equal(t, "1000", w.rows(t))
	w.outcomes(t, 1000)
}

// A lane that is given up while its queue, the batch it maps and both its blocks are full gives all back.
func TestALaneThatIsGivenUpHoldsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.config.BlockRows, w.config.StopTimeout = 400, 100*time.Millisecond
	w.hideEvents(t)
	w.produce(t, 0, 5000, 1)
	loader := w.load(t)
	eventually(t, loader.tries("insert"), "it fails")
	eventually(t, func() bool { return loader.memory.bufferedBytes.Load() >= sizes(0, 1000) }, "much is held")
	loader.stop(t)
	require.Equal(t, int64(5000), w.lag(t))
	w.bringBack(t)
	w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 5000)
}

func TestALaneThatHasEnoughIsPausedAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.config.BlockRows, w.config.MaxPartitionBytes = 400, 1<<20
	w.config.Consumer.FetchPartition = 1 << 20
	w.hideEvents(t)
	w.produce(t, 0, 10_000, 1)
	loader := w.load(t)
	paused := func() bool {
		loader.mu.Lock()
		worker := loader.workers[w.ingest(0)]
		loader.mu.Unlock()
		if worker == nil {
			return false
		}
		worker.queue.mu.Lock()
		defer worker.queue.mu.Unlock()
		return worker.queue.paused
	}
	eventually(t, paused, "paused")
	held := loader.memory.bufferedBytes.Load()
	time.Sleep(200 * time.Millisecond)
	require.Equal(t, held, loader.memory.bufferedBytes.Load(), "nothing more is fetched")
	require.Less(t, held, sizes(0, 10_000)/2)
	w.bringBack(t)
	w.caughtUp(t)
	w.outcomes(t, 10_000)
}

func TestTheBudgetStopsFetchingOfAll(t *testing.T) {
	w := newWorld(t, 4)
	w.config.MaxBufferedBytes, w.config.MaxPartitionBytes = 1<<20, 1<<20
	w.config.Consumer.FetchPartition, w.config.Consumer.FetchBytes, w.config.Consumer.ConcurrentFetches = 1<<20, 1<<20, 1
	w.hideEvents(t)
	w.produce(t, 0, 10_000, 50)
	loader := w.load(t)
	eventually(t, func() bool { return loader.memory.bufferedBytes.Load() >= w.config.MaxBufferedBytes }, "full")
	held := loader.memory.bufferedBytes.Load()
	time.Sleep(200 * time.Millisecond)
	require.Equal(t, held, loader.memory.bufferedBytes.Load(), "nothing more is fetched")
	require.Less(t, held, sizes(0, 10_000)*3/4)
	w.bringBack(t)
	w.caughtUp(t)
	w.outcomes(t, 10_000)
}

func TestABacklogThatDoesNotFitWaitsForNoLinger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	w.config.BlockLinger = time.Hour
	w.config.MaxBufferedBytes, w.config.MaxPartitionBytes = 1<<20, 1<<20
	w.config.Consumer.FetchPartition, w.config.Consumer.FetchBytes, w.config.Consumer.ConcurrentFetches = 1<<20, 1<<20, 1
	w.produce(t, 0, 20_000, 50)
	loader := w.load(t)
	eventually(t, func() bool { return w.lag(t) < 5000 }, "what does not fit is stored")
	loader.stop(t)
	w.config.BlockLinger = 20 * time.Millisecond
	w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 20_000)
}

func TestTwoLoadersShareAndOneStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	a := w.load(t)
	w.produce(t, 0, 5000, 50)
	b := w.load(t)
	eventually(t, func() bool { return a.owned() == 8 && b.owned() == 8 }, "they share both topics' partitions")
	require.Empty(t, b.health.Unmet())
	w.produce(t, 5000, 10_000, 50)
	eventually(t, func() bool { return b.value(t, "millrace_loader_rows_inserted_total", "") > 0 }, "the second inserts too")
	b.stop(t)
	w.produce(t, 10_000, 15_000, 50)
	w.caughtUp(t)
	require.Equal(t, 16, a.owned())
	w.outcomes(t, 15_000)
	require.Equal(t, "15000", w.rows(t), "handing over doubles nothing, also without FINAL")
}

func (r *running) owned() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.workers)
}

func TestALoaderIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	w.db.Exec(t, "SYSTEM STOP MERGES events")
	w.config.BlockRows = 50 // many blocks, so that the kill comes between an insert and its commit
	victim := w.child(t)
	w.produce(t, 0, 5000, 50)
	eventually(t, func() bool { return w.rows(t) != "0" }, "it inserts")
	require.NoError(t, victim.Process.Kill())
	require.NotZero(t, w.lag(t), "the control: it had not finished")
	w.load(t)
	w.produce(t, 5000, 6000, 50)
	w.caughtUp(t)
	w.outcomes(t, 6000)
	require.Equal(t, "6000", w.rows(t), "no second row, merged or not")
}

// A loader that slept too long is not a member any more. It must not count what it did, and joins again.
func TestALoaderThatTheGroupGaveUpJoinsAnew(t *testing.T) {
	w := newWorld(t, 2)
	w.hideEvents(t)
	w.produce(t, 0, 1000, 10)
	loader := w.load(t)
	eventually(t, loader.tries("insert"), "it has much to do")
	groups, err := w.admin.DescribeGroups(t.Context(), w.config.Consumer.Group)
	require.NoError(t, err)
	for _, member := range groups[w.config.Consumer.Group].Members {
		request := kmsg.NewPtrLeaveGroupRequest()
		request.Group, request.MemberID = w.config.Consumer.Group, member.MemberID
		request.Members = []kmsg.LeaveGroupRequestMember{{MemberID: member.MemberID}}
		_, err = request.RequestWith(t.Context(), w.kafka)
		require.NoError(t, err)
	}
	w.bringBack(t)
	w.caughtUp(t)
	w.outcomes(t, 1000)
	select {
	case <-loader.done:
		t.Fatal("it ended: ", loader.err)
	default:
	}
	loader.stop(t)
}

// A ClickHouse that neither answers nor goes away must not keep a partition from its next owner.
func TestAHungClickHouseKeepsNoPartition(t *testing.T) {
	w := newWorld(t, 2)
	w.config.Warehouse.Timeout, w.config.StopTimeout = time.Second, 100*time.Millisecond
	w.config.Warehouse.Inserts = 1 // so that it is the connection in use that hangs
	engine := w.ownEngine(t)
	loader := w.load(t)
	w.produce(t, 0, 100, 10)
	w.caughtUp(t)
	pid := engine.Pid()
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	w.produce(t, 100, 200, 10)
	eventually(t, func() bool { return loader.memory.bufferedBytes.Load() > 0 }, "it inserts")
	loader.stop(t)
	require.Equal(t, int64(100), w.lag(t))
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 200)
}

// explosive panics at a certain message.
type explosive struct{ rowBuilder }

func (f explosive) append(e *stream.Record) (string, error) {
	if strings.Contains(string(e.Value), "explode") {
		panic("secret")
	}
	return f.rowBuilder.append(e)
}

func TestAPanicEndsTheLoaderAndCommitsNothingWrong(t *testing.T) {
	w := newWorld(t, 2)
	loader := w.prepare(t)
	loader.newRowBuilder = func(p stream.Partition) rowBuilder { return explosive{loader.rowBuilderFor(p)} }
	w.produce(t, 0, 100, 10)
	loader.start(t)
	w.caughtUp(t)
	w.foreign(t, event(`{"type":"track","event":"explode"}`), event(`{"type":"track","event":"behind it"}`))
	<-loader.done
	require.ErrorIs(t, loader.err, errPanic)
	require.Contains(t, loader.log.String(), "BUG: panic while building a batch of millrace.ingest/0")
	require.NotContains(t, loader.log.String(), "secret")
	require.Zero(t, loader.memory.bufferedBytes.Load())
	require.Equal(t, int64(2), w.lag(t))
	w.outcomes(t, 100)
}

// unsendable panics in the goroutine that sends.
type unsendable struct{ rowBuilder }

func (unsendable) block() warehouse.Block { panic("secret") }

func TestAPanicWhileSendingCommitsNothing(t *testing.T) {
	w := newWorld(t, 1)
	loader := w.prepare(t)
	loader.newRowBuilder = func(p stream.Partition) rowBuilder { return unsendable{loader.rowBuilderFor(p)} }
	w.produce(t, 0, 100, 1)
	loader.start(t)
	<-loader.done
	require.ErrorIs(t, loader.err, errPanic)
	require.Contains(t, loader.log.String(), "BUG: panic while sending a batch of millrace.ingest/0")
	require.Zero(t, loader.memory.bufferedBytes.Load())
	require.Equal(t, int64(100), w.lag(t))
	w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 100)
}

func TestALoaderThatIsStoppedWhileTheBrokersAreAway(t *testing.T) {
	w := newWorld(t, 1)
	w.stream.Brokers = []string{"127.0.0.1:1"}
	loader := w.load(t)
	eventually(t, func() bool { return strings.Contains(loader.log.String(), "waiting for the Kafka brokers") }, "it waits")
	require.NotEmpty(t, loader.health.Unmet())
	loader.stop(t)
}

// A loader that is told to end does so though the brokers do not answer, and others do what it could not.
func TestALoaderEndsThoughTheBrokersAreSilent(t *testing.T) {
	kfakeOnly(t)
	t.Parallel()
	w := newWorld(t, 2)
	link := env.NewProxy(t, w.broker.Addr())
	direct := w.stream.Brokers
	w.stream.Brokers = link.Addrs()
	w.config.StopTimeout = time.Second
	loader := w.load(t)
	w.produce(t, 0, 100, 10)
	w.caughtUp(t)
	link.Cut()
	w.produce(t, 100, 200, 10)
	require.NotZero(t, w.lag(t), "the control: it is cut off")
	stopped := make(chan struct{})
	go func() { defer close(stopped); loader.cancel(); <-loader.done }()
	select {
	case <-stopped:
	case <-time.After(20 * time.Second): // the bound is three times StopTimeout
		t.Fatal("it waits for brokers that do not answer")
	}
	loader.stop(t)
	w.stream.Brokers = direct
	w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 200)
}

// Two loaders of one name take it from each other until one of them ends, and lose nothing by that.
func TestTwoLoadersOfOneName(t *testing.T) {
	w := newWorld(t, 2)
	w.config.Consumer.InstanceID = "same"
	a, b := w.load(t), w.load(t)
	ended := func() (ended, other *running) {
		select {
		case <-a.done:
			return a, b
		case <-b.done:
			return b, a
		default:
			return nil, nil
		}
	}
	for n := 0; ; n += 100 {
		w.produce(t, n, n+100, 10)
		if gone, stays := ended(); gone != nil {
			require.ErrorIs(t, gone.err, stream.ErrNameTaken)
			w.caughtUp(t)
			w.outcomes(t, n+100)
			stays.stop(t)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestNamesThatAreLostTooOften(t *testing.T) {
	var n nameLosses
	now := time.Now()
	require.False(t, n.tooOften(now))
	require.False(t, n.tooOften(now.Add(time.Second)))
	require.True(t, n.tooOften(now.Add(2*time.Second)))
	require.False(t, n.tooOften(now.Add(2*nameLossWindow)))
	require.False(t, n.tooOften(now.Add(2*nameLossWindow+time.Second)))
	require.True(t, n.tooOften(now.Add(2*nameLossWindow+2*time.Second)))
}

func TestAStoppedLoaderLeavesNoGoroutines(t *testing.T) {
	w := newWorld(t, 4)
	before := runtime.NumGoroutine()
	for i := range 3 {
		loader := w.prepare(t)
		loader.start(t)
		w.produce(t, i*100, i*100+100, 10)
		w.caughtUp(t)
		loader.stop(t)
		loader.deps.Stream.Close()
	}
	eventually(t, func() bool { return runtime.NumGoroutine() <= before+4 }, "as few as before")
}
