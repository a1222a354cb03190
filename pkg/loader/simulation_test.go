package loader

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

var (
	firstSchedule = flag.Uint64("first-schedule", 0, "seed of the first simulated schedule")
	schedules     = flag.Uint64("schedules", 10_000, "simulated schedules to run")
)

// A partition worker runs against a log and a table in memory. At any step these may fail, hang, answer late or lose
// their answer. Meanwhile the worker's process is killed, put to sleep or stopped, and another with other settings
// continues. Whatever the schedule, in the end each message has exactly one row, even before a merge.
func TestSimulation_EverySchedule_StoresEachMessageOnce(t *testing.T) {
	kfakeOnly(t)
	for seed := *firstSchedule; seed < *firstSchedule+*schedules; seed++ {
		if w := simulate(t, seed, &simulation{}); w != "" {
			t.Fatalf("schedule %d: %s", seed, w)
		}
	}
}

// The control: without one of the protections, some schedule loses or doubles a message.
func TestSimulation_WithoutAProtection_FindsAFault(t *testing.T) {
	for name, broken := range map[string]func() *simulation{
		"commit before insert":    func() *simulation { return &simulation{commitFirst: true} },
		"blocks are not prepared": func() *simulation { return &simulation{unprepared: true} },
		"no deduplication":        func() *simulation { return &simulation{tokenless: true} },
		"commits are not fenced":  func() *simulation { return &simulation{unfenced: true} },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5000) {
				if simulate(t, seed, broken()) != "" {
					return
				}
			}
			t.Fatal("5000 schedules found nothing")
		})
	}
}

// simulation is the log and the table of one schedule, and the protections that are broken in it.
type simulation struct {
	commitFirst, unprepared, tokenless, unfenced bool

	mu         sync.Mutex
	r          *rand.Rand
	log        []*kgo.Record
	committed  int64
	prepared   int64
	generation int
	faultless  bool // from now on
	tokens     map[string]bool
	rows       map[string]int
}

func simulate(t *testing.T, seed uint64, w *simulation) (wrong string) {
	simulatedShared() // outside: objects of one bubble must not be used in others
	synctest.Test(t, func(t *testing.T) { wrong = w.run(seed) })
	return wrong
}

func (w *simulation) run(seed uint64) string {
	w.r, w.tokens, w.rows = rand.New(rand.NewPCG(seed, 5)), map[string]bool{}, map[string]int{}
	offset := int64(0)
	for i := range 1 + w.r.IntN(30) {
		offset += int64(1 + w.r.IntN(2)*w.r.IntN(3)) // compaction and markers leave gaps
		w.log = append(w.log, &kgo.Record{
			Topic: "t", Offset: offset - 1, Key: []byte("p"),
			Value:   fmt.Appendf(nil, `{"type":"track","event":"E","messageId":"%d"}`, i),
			Headers: []kgo.RecordHeader{{Key: "kind", Value: []byte("event")}, {Key: "provider", Value: []byte("segment")}},
		})
	}
	var workers []*partitionWorker
	owners := 2 + w.r.IntN(6)
	for range owners {
		workers = append(workers, w.own())
	}
	w.mu.Lock()
	w.faultless = true
	w.mu.Unlock()
	last := w.own()
	for range 1000 {
		if w.done() {
			break
		}
		time.Sleep(time.Second)
	}
	for _, worker := range append(workers, last) {
		worker.cancel()
		worker.running.Wait()
	}
	time.Sleep(time.Hour) // until all late calls have taken effect
	synctest.Wait()
	return w.judge()
}

func (w *simulation) done() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.committed > w.log[len(w.log)-1].Offset
}

func (w *simulation) judge() string {
	if !w.done() {
		return "not all offsets were committed"
	}
	for i := range w.log {
		if n := w.rows[fmt.Sprintf("segment:%d", i)]; n != 1 {
			return fmt.Sprintf("message %d has %d rows", i, n)
		}
	}
	return ""
}

// own simulates one owner of the partition.
func (w *simulation) own() *partitionWorker {
	w.mu.Lock()
	w.generation++
	me := &member{simulation: w, generation: w.generation}
	from, prepared := w.committed, w.prepared
	rows, linger := 1+w.r.IntN(6), time.Duration(1+w.r.IntN(50))*time.Millisecond
	lifetime := time.Duration(w.r.IntN(3000)) * time.Millisecond
	end, flushes, fetch := w.r.IntN(3), w.r.IntN(4), time.Duration(w.r.IntN(2)*w.r.IntN(100))*time.Millisecond
	faultless := w.faultless
	var batches []*stream.Batch
	for i := 0; i < len(w.log); {
		n := min(1+w.r.IntN(8), len(w.log)-i)
		if records := since(w.log[i:i+n], from); len(records) > 0 {
			batches = append(batches, stream.NewBatch(partition, w.log[len(w.log)-1].Offset+1, records))
		}
		i += n
	}
	w.mu.Unlock()
	worker := w.worker(me, rows, linger)
	for i, b := range batches {
		if i == 0 {
			b.Prepared = prepared
		}
		worker.memory.reserve(b.Bytes)
		worker.enqueue(b)
		time.Sleep(fetch)
	}
	if faultless {
		return worker
	}
	for range flushes {
		time.Sleep(lifetime / 4)
		worker.batcher.requestFlush()
	}
	time.Sleep(lifetime - time.Duration(flushes)*lifetime/4)
	switch end {
	case 0: // killed
		worker.cancel()
	case 1: // stopped
		worker.stop(time.Second)
	default: // asleep or partitioned: it continues, and does not know that another owns the partition
	}
	return worker
}

func since(records []*kgo.Record, from int64) []*kgo.Record {
	for len(records) > 0 && records[0].Offset < from {
		records = records[1:]
	}
	return records
}

// simulatedShared is built once: that takes longer than a schedule.
var simulatedShared = sync.OnceValue(func() *shared {
	s := &shared{deps: Deps{Log: slog.New(slog.DiscardHandler)}, memory: newMemoryLimit(1 << 60)}
	if err := kong.ApplyDefaults(&s.config); err != nil {
		panic(err)
	}
	s.config.DedupWindow, s.config.Attribution = 0, false
	s.attribution = attribution.New(attribution.Config{}, attribution.Deps{Metrics: prometheus.NewRegistry()})
	s.metrics = newMetrics(prometheus.NewRegistry(), s.memory)
	s.newRowBuilder = func(p stream.Partition) rowBuilder { return newEventBuilder(p, func(*mapping.Result) {}) }
	return s
})

func (w *simulation) worker(me *member, rows int, linger time.Duration) *partitionWorker {
	common := simulatedShared()
	s := &shared{
		config: common.config, deps: common.deps, memory: common.memory, metrics: common.metrics,
		attribution: common.attribution, newRowBuilder: common.newRowBuilder,
		consumer: me, inserter: me, fail: func(error) {},
	}
	s.config.BlockRows, s.config.BlockLinger = rows, linger
	return newPartitionWorker(s, partition)
}

// member is one owner's connection to the log and the table.
type member struct {
	*simulation
	generation int
	late       func() // the commit that still hangs
}

var errFault = errors.New("fault")

// call makes a call that has an effect, with or without a fault. Brokers handle one member's commits in order: one that
// hangs takes effect before the next, if ever.
func (m *member) call(ctx context.Context, inOrder bool, effect func() error) error {
	if inOrder && m.late != nil {
		m.late()
		m.late = nil
	}
	m.mu.Lock()
	fault := m.r.IntN(12)
	delay := time.Duration(m.r.IntN(200)) * time.Millisecond
	late := time.Duration(m.r.IntN(20_000)) * time.Millisecond
	if m.faultless {
		fault, delay = 12, time.Millisecond
	}
	m.mu.Unlock()
	sleep(ctx, delay)
	locked := func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		return effect()
	}
	switch fault {
	case 0: // it fails
		return errFault
	case 1: // the answer is lost
		_ = locked()
		return errFault
	case 2: // it hangs, and takes effect after the caller has given up
		once := sync.OnceFunc(func() { _ = locked() })
		if inOrder {
			m.late = once
		}
		go func() {
			time.Sleep(late)
			once()
		}()
		sleep(ctx, late/2)
		return errFault
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return locked()
}

func (m *member) commit(ctx context.Context, offset, until int64) error {
	return m.call(ctx, true, func() error {
		if m.generation != m.simulation.generation && !m.unfenced {
			return stream.ErrFenced
		}
		m.committed, m.prepared = offset, until
		return nil
	})
}

func (m *member) Prepare(ctx context.Context, _ stream.Partition, first, until int64) error {
	switch {
	case m.commitFirst:
		return m.commit(ctx, until, 0)
	case m.unprepared:
		return nil
	}
	return m.commit(ctx, first, until)
}

func (m *member) Commit(ctx context.Context, _ stream.Partition, next int64) error {
	return m.commit(ctx, next, 0)
}

func (m *member) Split(_ context.Context, b warehouse.Block) ([]warehouse.Block, error) {
	return []warehouse.Block{b}, nil
}

func (m *member) Insert(ctx context.Context, b warehouse.Block, token string) error {
	var ids []string
	for k := b.(*warehouse.Events).KeyRows(); k.Next(); {
		ids = append(ids, string(k.InsertID))
	}
	return m.call(ctx, false, func() error {
		if m.tokens[token] && !m.tokenless {
			return nil
		}
		m.tokens[token] = true
		for _, id := range ids {
			m.rows[id]++
		}
		return nil
	})
}

func (m *member) InsertRows(context.Context, warehouse.Block, int, int, string) error {
	panic("BUG: no row is refused in the simulation")
}

func (m *member) Poll(context.Context, func(*stream.Batch)) error {
	panic("BUG: the simulation does not poll")
}
func (m *member) Pause(stream.Partition)  {}
func (m *member) Resume(stream.Partition) {}
func (m *member) ConfirmOwnership(context.Context, []stream.Partition) error {
	panic("BUG: the simulation does not attribute")
}
func (m *member) Close() {}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
