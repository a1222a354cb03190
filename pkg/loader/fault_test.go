package loader

import (
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/doctor"
	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
	"github.com/millrace/millrace/test/env"
	"github.com/millrace/millrace/test/env/doctortest"
)

// hideEvents makes inserts fail, in loaders that are started after it. They do not look for duplicates, which would
// fail earlier.
func (w *world) hideEvents(t *testing.T) {
	w.config.DedupWindow = 0
	w.db.Exec(t, "RENAME TABLE events TO hidden")
}

func (w *world) restoreEvents(t *testing.T) { w.db.Exec(t, "RENAME TABLE hidden TO events") }

func (r *running) retries(operation string) func() bool {
	return func() bool { return strings.Contains(r.log.String(), "operation="+operation+" ") }
}

func TestLoader_InsertFails_CommitsNothing(t *testing.T) {
	w := newWorld(t, 2)
	w.produce(t, 0, 1000, 10)
	loader := w.load(t)
	w.caughtUp(t)
	w.hideEvents(t)
	w.produce(t, 1000, 2000, 10)
	eventually(t, loader.retries("insert"), "the operation fails")
	require.Equal(t, int64(1000), w.lag(t))
	w.restoreEvents(t)
	w.caughtUp(t)
	w.outcomes(t, 2000)
	require.Equal(t, "2000", w.rows(t))
	require.NotZero(t, loader.value(t, "millrace_loader_retries_total", "insert"))
}

func TestLoader_ClickHouseIsKilled_Continues(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 2)
	engine := w.ownEngine(t)
	w.load(t)
	for i := range 3 {
		require.NoError(t, syscall.Kill(engine.Pid(), syscall.SIGKILL))
		w.produce(t, i*1000, i*1000+1000, 10)
		eventually(t, func() bool { return engine.Restarts() == int64(i+1) }, "ClickHouse is restarted")
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

func TestLoader_DeadLetterWriteFails_CommitsNothing(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	fault := w.broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: w.client.Topics().DeadLetters, Err: kerr.PolicyViolation, Count: -1})
	w.foreign(t, event(`{"type":"track","event":"E","messageId":"1"}`), event(`broken`))
	loader := w.load(t)
	eventually(t, loader.retries("dead_letters_write"), "the operation fails")
	require.Equal(t, int64(2), w.lag(t))
	require.Equal(t, "1", w.rows(t), "rows are inserted before dead letters are written")
	fault.Remove()
	eventually(t, func() bool { return w.db.Exec(t, "SELECT count() FROM dead_letters") == "1" }, "the dead letter is stored")
	w.caughtUp(t)
	w.outcomes(t, 1)
	require.Equal(t, "1", w.rows(t), "rows are inserted once")
}

// The next loader recreates blocks that were inserted and not committed, whatever its own limits are. ClickHouse
// recognises them by their tokens, so there is no second row even before a merge.
func TestLoader_UncommittedBlock_IsRecreated(t *testing.T) {
	kfakeOnly(t)
	t.Parallel()
	w := newWorld(t, 2)
	w.db.Exec(t, "SYSTEM STOP MERGES events")
	w.hideEvents(t)
	w.produce(t, 0, 1000, 10)
	first := w.load(t)
	eventually(t, func() bool { return first.value(t, "millrace_loader_retries_total", "insert") >= 2 }, "the blocks are prepared")
	fault := w.broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	w.restoreEvents(t)
	eventually(t, first.retries("commit"), "the operation fails")
	first.stop(t)
	written, err := strconv.Atoi(w.rows(t))
	require.NoError(t, err)
	require.NotZero(t, written, "the control: rows were inserted")
	require.Equal(t, int64(1000), w.lag(t))
	fault.Remove()
	w.config.BlockRows = 70
	second := w.load(t)
	w.caughtUp(t)
	require.Equal(t, float64(1000), second.value(t, "millrace_loader_rows_inserted_total", ""), "the control: the rows were sent twice")
	require.Equal(t, "1000", w.rows(t))
	w.outcomes(t, 1000)
}

// The worker's queue, the records that it maps and both its batches are full.
func TestWorker_Revoked_ReleasesItsMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.config.BlockRows, w.config.StopTimeout = 400, 100*time.Millisecond
	w.hideEvents(t)
	w.produce(t, 0, 5000, 1)
	loader := w.load(t)
	eventually(t, loader.retries("insert"), "the operation fails")
	eventually(t, func() bool { return loader.memory.bufferedBytes.Load() >= sizes(0, 1000) }, "much is buffered")
	loader.stop(t)
	require.Equal(t, int64(5000), w.lag(t))
	w.restoreEvents(t)
	w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 5000)
}

func TestWorker_FullQueue_PausesItsPartition(t *testing.T) {
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
	buffered := loader.memory.bufferedBytes.Load()
	time.Sleep(200 * time.Millisecond)
	require.Equal(t, buffered, loader.memory.bufferedBytes.Load(), "nothing more is fetched")
	require.Less(t, buffered, sizes(0, 10_000)/2)
	w.restoreEvents(t)
	w.caughtUp(t)
	w.outcomes(t, 10_000)
}

func TestLoader_MemoryLimit_PausesAllPartitions(t *testing.T) {
	w := newWorld(t, 4)
	w.config.MaxBufferedBytes, w.config.MaxPartitionBytes = 1<<20, 1<<20
	w.config.Consumer.FetchPartition, w.config.Consumer.FetchBytes, w.config.Consumer.ConcurrentFetches = 1<<20, 1<<20, 1
	w.hideEvents(t)
	w.produce(t, 0, 10_000, 50)
	loader := w.load(t)
	eventually(t, func() bool { return loader.memory.bufferedBytes.Load() >= w.config.MaxBufferedBytes }, "full")
	buffered := loader.memory.bufferedBytes.Load()
	time.Sleep(200 * time.Millisecond)
	require.Equal(t, buffered, loader.memory.bufferedBytes.Load(), "nothing more is fetched")
	require.Less(t, buffered, sizes(0, 10_000)*3/4)
	w.restoreEvents(t)
	w.caughtUp(t)
	w.outcomes(t, 10_000)
}

func TestLoader_MemoryLimit_DoesNotWaitForTheLinger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	w.config.BlockLinger = time.Hour
	w.config.MaxBufferedBytes, w.config.MaxPartitionBytes = 1<<20, 1<<20
	w.config.Consumer.FetchPartition, w.config.Consumer.FetchBytes, w.config.Consumer.ConcurrentFetches = 1<<20, 1<<20, 1
	w.produce(t, 0, 20_000, 50)
	loader := w.load(t)
	eventually(t, func() bool { return w.lag(t) < 5000 }, "records beyond the limit are stored")
	loader.stop(t)
	w.config.BlockLinger = 20 * time.Millisecond
	w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 20_000)
}

func TestLoader_TwoMembersAndOneStops_StoresEachEventOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	a := w.load(t)
	w.produce(t, 0, 5000, 50)
	b := w.load(t)
	eventually(t, func() bool { return a.owned() == 8 && b.owned() == 8 }, "both have half of both topics' partitions")
	require.Empty(t, b.health.Unmet())
	w.produce(t, 5000, 10_000, 50)
	eventually(t, func() bool { return b.value(t, "millrace_loader_rows_inserted_total", "") > 0 }, "the second inserts too")
	b.stop(t)
	w.produce(t, 10_000, 15_000, 50)
	w.caughtUp(t)
	require.Equal(t, 16, a.owned())
	w.outcomes(t, 15_000)
	require.Equal(t, "15000", w.rows(t), "no row is doubled, also without FINAL")
}

func (r *running) owned() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.workers)
}

func TestLoader_Killed_StoresEachEventOnce(t *testing.T) {
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

// A loader that was suspended too long is no longer a member. It must not commit, and joins the group again.
func TestLoader_RemovedFromTheGroup_JoinsAgain(t *testing.T) {
	w := newWorld(t, 2)
	w.hideEvents(t)
	w.produce(t, 0, 1000, 10)
	loader := w.load(t)
	eventually(t, loader.retries("insert"), "batches are waiting")
	groups, err := w.admin.DescribeGroups(t.Context(), w.config.Consumer.Group)
	require.NoError(t, err)
	for _, member := range groups[w.config.Consumer.Group].Members {
		request := kmsg.NewPtrLeaveGroupRequest()
		request.Group, request.MemberID = w.config.Consumer.Group, member.MemberID
		request.Members = []kmsg.LeaveGroupRequestMember{{MemberID: member.MemberID}}
		_, err = request.RequestWith(t.Context(), w.kafka)
		require.NoError(t, err)
	}
	w.restoreEvents(t)
	w.caughtUp(t)
	w.outcomes(t, 1000)
	select {
	case <-loader.done:
		t.Fatal("it ended: ", loader.err)
	default:
	}
	loader.stop(t)
}

// A ClickHouse that neither answers nor closes connections must not delay a rebalance.
func TestLoader_ClickHouseHangs_GivesItsPartitionsUp(t *testing.T) {
	w := newWorld(t, 2)
	w.config.Warehouse.Timeout, w.config.StopTimeout = time.Second, 100*time.Millisecond
	w.config.Warehouse.Inserts = 1 // so that the connection in use hangs
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

// panicsAtRecord is a builder that panics at a certain message.
type panicsAtRecord struct{ rowBuilder }

func (f panicsAtRecord) append(e *stream.Record) (string, error) {
	if strings.Contains(string(e.Value), "explode") {
		panic("secret")
	}
	return f.rowBuilder.append(e)
}

func TestLoader_MappingPanics_EndsWithoutCommit(t *testing.T) {
	w := newWorld(t, 2)
	loader := w.prepare(t)
	loader.newRowBuilder = func(p stream.Partition) rowBuilder { return panicsAtRecord{loader.rowBuilderFor(p)} }
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

// panicsWhenSent is a builder that panics in the goroutine that sends.
type panicsWhenSent struct{ rowBuilder }

func (panicsWhenSent) block() warehouse.Block { panic("secret") }

func TestLoader_SendingPanics_EndsWithoutCommit(t *testing.T) {
	w := newWorld(t, 1)
	loader := w.prepare(t)
	loader.newRowBuilder = func(p stream.Partition) rowBuilder { return panicsWhenSent{loader.rowBuilderFor(p)} }
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

func TestLoader_BrokersUnreachable_Stops(t *testing.T) {
	w := newWorld(t, 1)
	w.stream.Brokers = []string{"127.0.0.1:1"}
	loader := w.load(t)
	eventually(t, func() bool { return strings.Contains(loader.log.String(), "waiting for the Kafka brokers") }, "it waits for the brokers")
	require.NotEmpty(t, loader.health.Unmet())
	loader.stop(t)
}

// The next loader stores what this one could not commit.
func TestLoader_BrokersDoNotAnswer_Stops(t *testing.T) {
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
	require.NotZero(t, w.lag(t), "the control: the loader is cut off")
	stopped := make(chan struct{})
	go func() { defer close(stopped); loader.cancel(); <-loader.done }()
	select {
	case <-stopped:
	case <-time.After(20 * time.Second): // the bound is three times StopTimeout
		t.Fatal("the loader does not stop")
	}
	loader.stop(t)
	w.stream.Brokers = direct
	w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 200)
}

// Two loaders take the instance id from each other until one of them ends. No event is lost.
func TestLoader_SameInstanceID_OneEnds(t *testing.T) {
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
			require.ErrorIs(t, gone.err, stream.ErrInstanceIDTaken)
			w.caughtUp(t)
			w.outcomes(t, n+100)
			stays.stop(t)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestNameLosses_ThreeWithinTheWindow_AreTooOften(t *testing.T) {
	var n nameLosses
	now := time.Now()
	require.False(t, n.tooOften(now))
	require.False(t, n.tooOften(now.Add(time.Second)))
	require.True(t, n.tooOften(now.Add(2*time.Second)))
	require.False(t, n.tooOften(now.Add(2*nameLossWindow)))
	require.False(t, n.tooOften(now.Add(2*nameLossWindow+time.Second)))
	require.True(t, n.tooOften(now.Add(2*nameLossWindow+2*time.Second)))
}

func TestLoader_Stopped_LeavesNoGoroutines(t *testing.T) {
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
	eventually(t, func() bool { return runtime.NumGoroutine() <= before+4 }, "no more goroutines than before")
}

// Messages of one character compress a thousandfold: a fetch within its limit holds all of them.
func TestLoader_CompressibleMessages_StayWithinTheMemoryLimit(t *testing.T) {
	kfakeOnly(t)
	const n, size = 200, 400 << 10
	w := newWorld(t, 2)
	w.config.MaxBufferedBytes = 16 << 20
	value := `{"type":"track","event":"E","properties":{"text":"` + strings.Repeat("x", size) + `"},"messageId":"`
	kafka, err := kgo.NewClient(kgo.SeedBrokers(w.broker.Addr()), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	require.NoError(t, err)
	defer kafka.Close()
	for i := range n {
		r := event(value + strconv.Itoa(i) + `"}`)
		r.Topic, r.Key = w.client.Topics().Ingest, []byte(strconv.Itoa(i))
		require.NoError(t, kafka.ProduceSync(t.Context(), r).FirstErr())
	}
	loader := w.load(t)
	largest := int64(0)
	eventually(t, func() bool {
		largest = max(largest, loader.memory.bufferedBytes.Load())
		return loader.value(t, "millrace_loader_rows_inserted_total", "") == n
	}, "all messages are stored")
	require.Less(t, largest, w.config.MaxBufferedBytes*3/2)
	require.Zero(t, loader.value(t, "millrace_loader_fetch_errors_total", ""))
}

// Retention deletes records that no loader has read. The control is the records that were loaded before.
func TestLoader_RecordsDeletedBeforeTheyAreRead_AreReported(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	loader := w.load(t)
	w.produce(t, 0, 10, 1)
	w.caughtUp(t)
	loader.stop(t)
	require.Zero(t, loader.value(t, "millrace_loader_records_lost_total", ""))

	w.produce(t, 10, 30, 1)
	remaining := kadm.Offsets{}
	remaining.Add(kadm.Offset{Topic: w.client.Topics().Ingest, Partition: 0, At: 25, LeaderEpoch: -1})
	_, err := w.admin.DeleteRecords(t.Context(), remaining)
	require.NoError(t, err)
	loader = w.load(t)
	w.caughtUp(t)
	require.Equal(t, "15", w.rows(t))
	require.Equal(t, 15.0, loader.value(t, "millrace_loader_records_lost_total", ""))
	require.Contains(t, loader.log.String(), "level=ERROR msg=\"records were deleted from Kafka before they were loaded")
	lost := func() string {
		return w.db.Exec(t, "SELECT detail, origin FROM dead_letters WHERE reason = 'records_lost'")
	}
	eventually(t, func() bool { return lost() != "" }, "the loss is a dead letter")
	require.Equal(t, "15 records from offset 10 on were deleted from Kafka before they were loaded\tmillrace.ingest/0/10", lost())
	var report doctor.Report
	warehouse.Diagnose(t.Context(), w.config.Warehouse, &report)
	doctortest.Require(t, report, "lost records", doctor.Fail, "deleted 15 messages", "retention.ms")
	require.Equal(t, int64(5), w.replay(t).Verdicts[stream.Selected], "the dead letter is not replayed")
}
