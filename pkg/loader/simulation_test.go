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

// A lane runs against a log and a table of memory that fail, hang, answer late or lose their answer at any step, while its
// process is killed, put to sleep or told to stop, and another with other settings goes on. Whatever the schedule, in
// the end each message has one row, and no second one that a merge would have to take away.
func TestEveryScheduleStoresEachMessageOnce(t *testing.T) {
	kfakeOnly(t)
	for seed := *firstSchedule; seed < *firstSchedule+*schedules; seed++ {
		if w := simulate(t, seed, &simulation{}); w != "" {
			t.Fatalf("schedule %d: %s", seed, w)
		}
	}
}

// The controls: without a protection, schedules are found that lose or double.
func TestTheSimulationFindsWhatIsUnprotected(t *testing.T) {
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

// simulation is the world of one schedule, and what is broken in it.
type simulation struct {
	commitFirst, unprepared, tokenless, unfenced bool

	mu         sync.Mutex
	r          *rand.Rand
	log        []*kgo.Record
	committed  int64
	prepared   int64
	generation int
	calm       bool // no more faults
	tokens     map[string]bool
	rows       map[string]int
}

func simulate(t *testing.T, seed uint64, w *simulation) (wrong string) {
	simulated() // outside, since what is made in one bubble is not for others
	synctest.Test(t, func(t *testing.T) { wrong = w.run(seed) })
	return wrong
}

func (w *simulation) run(seed uint64) string {
	w.r, w.tokens, w.rows = rand.New(rand.NewPCG(seed, 5)), map[string]bool{}, map[string]int{}
	offset := int64(0)
	for i := range 1 + w.r.IntN(30) {
		offset += int64(1 + w.r.IntN(2)*w.r.IntN(3)) // compaction and markers leave gaps
		w.log = append(w.log, &kgo.Record{Topic: "t", Offset: offset - 1, Key: []byte("p"),
			Value:   fmt.Appendf(nil, `{"type":"track","event":"E","messageId":"%d"}`, i),
			Headers: []kgo.RecordHeader{{Key: "kind", Value: []byte("event")}, {Key: "provider", Value: []byte("segment")}}})
	}
	var sleepers []*partitionWorker
	lives := 2 + w.r.IntN(6)
	for range lives {
		sleepers = append(sleepers, w.live())
	}
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	last := w.live()
	for range 1000 {
		if w.done() {
			break
		}
		time.Sleep(time.Second)
	}
	for _, l := range append(sleepers, last) {
		l.cancel()
		l.done.Wait()
	}
	time.Sleep(time.Hour) // what was late has come
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
		return "it never came to the end"
	}
	for i := range w.log {
		if n := w.rows[fmt.Sprintf("segment:%d", i)]; n != 1 {
			return fmt.Sprintf("message %d has %d rows", i, n)
		}
	}
	return ""
}

// live is one owner of the partition, for a while.
func (w *simulation) live() *partitionWorker {
	w.mu.Lock()
	w.generation++
	me := &member{simulation: w, generation: w.generation}
	from, prepared := w.committed, w.prepared
	rows, linger := 1+w.r.IntN(6), time.Duration(1+w.r.IntN(50))*time.Millisecond
	lifetime := time.Duration(w.r.IntN(3000)) * time.Millisecond
	end, presses, fetch := w.r.IntN(3), w.r.IntN(4), time.Duration(w.r.IntN(2)*w.r.IntN(100))*time.Millisecond
	calm := w.calm
	var batches []*stream.Batch
	for i := 0; i < len(w.log); {
		n := min(1+w.r.IntN(8), len(w.log)-i)
		if records := since(w.log[i:i+n], from); len(records) > 0 {
			batches = append(batches, stream.NewBatch(partition, w.log[len(w.log)-1].Offset+1, records))
		}
		i += n
	}
	w.mu.Unlock()
	l := w.lane(me, rows, linger)
	for i, b := range batches {
		if i == 0 {
			b.Prepared = prepared
		}
		l.service.memory.reserve(b.Bytes)
		l.enqueue(b)
		time.Sleep(fetch)
	}
	if calm {
		return l
	}
	for range presses {
		time.Sleep(lifetime / 4)
		l.flush()
	}
	time.Sleep(lifetime - time.Duration(presses)*lifetime/4)
	switch end {
	case 0: // killed
		l.cancel()
	case 1: // told to stop
		l.stop(time.Second)
	default: // asleep, or cut off: it goes on, and does not know that another has the partition
	}
	return l
}

func since(records []*kgo.Record, from int64) []*kgo.Record {
	for len(records) > 0 && records[0].Offset < from {
		records = records[1:]
	}
	return records
}

// simulated is what all simulated loaders have in common: making it takes longer than a schedule does.
var simulated = sync.OnceValue(func() *Service {
	s := &Service{deps: Deps{Log: slog.New(slog.DiscardHandler)}, fail: func(error) {}, workers: map[stream.Partition]*partitionWorker{}, memory: newMemoryLimit(1 << 60)}
	if err := kong.ApplyDefaults(&s.config); err != nil {
		panic(err)
	}
	s.config.DedupWindow, s.config.Attribution = 0, false
	s.attribution = attribution.New(attribution.Config{}, attribution.Deps{Metrics: prometheus.NewRegistry()})
	s.metrics = newMetrics(prometheus.NewRegistry(), s.memory)
	s.newRowBuilder = func(p stream.Partition) rowBuilder { return newEventBuilder(p, func(mapping.Overrides) {}) }
	return s
})

func (w *simulation) lane(me *member, rows int, linger time.Duration) *partitionWorker {
	common := simulated()
	s := &Service{config: common.config, deps: common.deps, fail: common.fail, workers: common.workers, memory: common.memory,
		attribution: common.attribution, metrics: common.metrics, newRowBuilder: common.newRowBuilder, consumer: me, inserter: me}
	s.config.BlockRows, s.config.BlockLinger = rows, linger
	return newPartitionWorker(s, partition)
}

// member is an owner's view of the log and the table.
type member struct {
	*simulation
	generation int
	late       func() // the note that still hangs
}

var errFault = errors.New("fault")

// call makes a call that has an effect, with a fault or without. Brokers take what one member notes in the order in
// which it was sent: one that hangs takes effect before the next, if it ever does.
func (m *member) call(ctx context.Context, inOrder bool, effect func() error) error {
	if inOrder && m.late != nil {
		m.late()
		m.late = nil
	}
	m.mu.Lock()
	fault := m.r.IntN(12)
	delay := time.Duration(m.r.IntN(200)) * time.Millisecond
	late := time.Duration(m.r.IntN(20_000)) * time.Millisecond
	if m.calm {
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
	case 2: // it hangs, and takes effect when nobody waits for it any more
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

func (m *member) note(ctx context.Context, offset, until int64) error {
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
		return m.note(ctx, until, 0)
	case m.unprepared:
		return nil
	}
	return m.note(ctx, first, until)
}

func (m *member) Commit(ctx context.Context, _ stream.Partition, next int64) error {
	return m.note(ctx, next, 0)
}

func (m *member) SplitByShard(_ context.Context, b warehouse.Block) ([]warehouse.Block, error) {
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
	panic("BUG: nothing is refused here")
}
func (m *member) Poll(context.Context, func(*stream.Batch)) error { panic("BUG: batches are offered") }
func (m *member) Pause(stream.Partition)                          {}
func (m *member) Resume(stream.Partition)                         {}
func (m *member) Confirm(context.Context, []stream.Partition) error {
	panic("BUG: nothing is attributed here")
}
func (m *member) Close() {}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
