package loader

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/stream"
)

// deliver produces one event with its time of receipt and its own time.
func (w *world) deliver(t testing.TB, product, id string, receivedAt, at time.Time) {
	t.Helper()
	var config stream.ProducerConfig
	require.NoError(t, kong.ApplyDefaults(&config))
	p, err := w.client.NewProducer("deliver", config)
	require.NoError(t, err)
	defer p.Close(context.Background())
	out := p.NewRequest(1, nil)
	source := &stream.Source{Workspace: "w", Product: product, Connection: "c", Provider: stream.ProviderSegment}
	message := fmt.Appendf(nil, `{"type":"track","event":"E","messageId":%q,"timestamp":%q}`, id, at.Format(time.RFC3339Nano))
	out.AddMessage(stream.KindEvent, source, receivedAt.UnixMicro(), message, nil)
	require.NoError(t, out.Send(t.Context()))
}

const deliveries = "SELECT product_id, message_id, count(), min(event_at) FROM outcomes GROUP BY ALL ORDER BY ALL"

func TestDuplicates_AnotherTimestamp_IsDropped(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	second, day := time.Second, 24*time.Hour
	deliver := func(id string, received, happened time.Duration) {
		w.deliver(t, "p", id, noon.Add(received), noon.Add(happened))
	}
	deliver("together", 0, 0)
	deliver("together", second, second)
	deliver("apart", second, 0)
	w.deliver(t, "another product", "apart", noon, noon.Add(time.Minute))
	loader := w.load(t)
	w.caughtUp(t)
	deliver("apart", 2*second, 2*second)
	deliver("apart", 3*second, 0) // ClickHouse merges these
	deliver("restarted", 3*second, 0)
	w.caughtUp(t)
	require.Equal(t, 2.0, loader.value(t, "millrace_loader_duplicates_dropped_total", ""))
	loader.stop(t)
	w.deliver(t, "another product", "apart", noon.Add(4*second), noon.Add(4*second)) // its block is empty
	deliver("restarted", 4*second, 4*second)
	deliver("late", 4*second, 0)
	loader = w.load(t)
	deliver("late", 4*second+day-time.Millisecond, second)
	w.caughtUp(t)
	deliver("a day later", 4*second, 0)
	deliver("a day later", 4*second+day, day)
	w.caughtUp(t)
	require.Equal(t, "another product\tapart\t1\t2026-05-18 12:01:00.000\n"+
		"p\ta day later\t2\t2026-05-18 12:00:00.000\n"+
		"p\tapart\t1\t2026-05-18 12:00:00.000\n"+
		"p\tlate\t1\t2026-05-18 12:00:00.000\n"+
		"p\trestarted\t1\t2026-05-18 12:00:00.000\n"+
		"p\ttogether\t1\t2026-05-18 12:00:00.000", w.db.Exec(t, deliveries))
	require.Equal(t, 3.0, loader.value(t, "millrace_loader_duplicates_dropped_total", ""))
	require.NotZero(t, loader.value(t, "millrace_loader_dedup_bytes", ""))
}

func TestDuplicates_NoWindow_AreStored(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	w.config.DedupWindow = 0
	w.load(t)
	w.deliver(t, "p", "id", noon, noon)
	w.deliver(t, "p", "id", noon, noon.Add(time.Second))
	w.caughtUp(t)
	require.Equal(t, "p\tid\t2\t2026-05-18 12:00:00.000", w.db.Exec(t, deliveries))
}

// The same offsets are read twice: the same events are dropped, and the stored ones stay.
func TestDuplicates_ReadTwice_DropTheSame(t *testing.T) {
	w := newWorld(t, 1)
	w.db.Exec(t, "SYSTEM STOP MERGES events")
	for i := range 20 {
		w.deliver(t, "p", fmt.Sprint(i%10), noon.Add(time.Duration(i)*time.Second), noon.Add(time.Duration(i)*time.Second))
	}
	loader := w.load(t)
	w.caughtUp(t)
	loader.stop(t)
	stored := w.db.Exec(t, "SELECT * FROM outcomes ORDER BY insert_id")
	w.config.Consumer.Group += "-2"
	w.load(t)
	w.caughtUp(t)
	require.Equal(t, stored, w.db.Exec(t, "SELECT * FROM outcomes ORDER BY insert_id"))
	require.Equal(t, "10", w.db.Exec(t, "SELECT count() FROM outcomes"))
}
