package loader

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkLoader takes a backlog through the whole loader into ClickHouse. The broker is in this process
// and its cost in cpu-µs/event; ClickHouse is in one of its own.
func BenchmarkLoader(b *testing.B) {
	const events, partitions, products = 400_000, 8, 50
	w := newWorld(b, partitions)
	w.config.BlockLinger = 100 * time.Millisecond
	w.config.Warehouse.Compression = "none"
	w.produce(b, 0, events, products)
	b.ResetTimer()
	cpu, rows := time.Duration(0), 0
	for i := 0; b.Loop(); i++ {
		w.config.Consumer.Group = "bench-" + time.Now().String() // reads from the start
		before := processTime()
		loader := w.load(b)
		eventually(b, func() bool {
			time.Sleep(20 * time.Millisecond)
			return loader.value(b, "millrace_loader_records_committed_total", "") == events
		}, "all is loaded")
		cpu += processTime() - before
		rows += events
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(float64(memory.Sys>>20), "MB-of-the-process")
		b.ReportMetric(loader.value(b, "millrace_loader_blocks_inserted_total", ""), "blocks")
		b.StopTimer()
		loader.stop(b)
		w.db.Exec(b, "TRUNCATE TABLE events")
		b.StartTimer()
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(rows), "cpu-µs/event")
}

// BenchmarkAttribution takes the same backlog, of events of 100,000 users, through loaders that do not attribute, that
// see every user for the first time, and that have read the users from ClickHouse when they started.
func BenchmarkAttribution(b *testing.B) {
	const events, partitions, products = 400_000, 8, 50
	w := newWorld(b, partitions)
	w.users = 100_000
	w.config.Warehouse.Compression = "none"
	w.produce(b, 0, events, products)
	claims := []string{"user_claims", "user_claims_by_email", "organization_claims", "products", "attribution_progress"}
	load := func(b *testing.B, attribute bool) {
		for b.Loop() {
			w.config.Consumer.Group = "bench-" + time.Now().String()
			w.config.Attribution = attribute
			loader := w.prepare(b)
			before := processTime()
			loader.start(b)
			eventually(b, func() bool {
				time.Sleep(20 * time.Millisecond)
				return loader.value(b, "millrace_loader_records_committed_total", "") == events
			}, "all is loaded")
			b.ReportMetric(float64((processTime()-before).Microseconds())/events, "cpu-µs/event")
			b.StopTimer()
			loader.stop(b)
			w.db.Exec(b, "TRUNCATE TABLE events")
			b.StartTimer()
		}
		b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "rows/s")
	}
	forget := func(b *testing.B) {
		for _, table := range claims {
			w.db.Exec(b, "TRUNCATE TABLE "+table)
		}
	}
	for range 3 { // in turns, so that what else the machine does meets all of them
		b.Run("off", func(b *testing.B) { load(b, false) })
		b.Run("cold", func(b *testing.B) { forget(b); load(b, true) })
		b.Run("stored", func(b *testing.B) { load(b, true) })
	}
}

// BenchmarkBacklog takes five million events of 300,000 users through a loader in a process of its own, whose greatest
// memory it reports.
func BenchmarkBacklog(b *testing.B) {
	const events, part, partitions, products = 5_000_000, 500_000, 16, 200
	w := newWorld(b, partitions)
	w.users, w.config.BlockLinger = 300_000, time.Second
	for i := 0; i < events; i += part {
		w.produce(b, i, i+part, products)
	}
	b.ResetTimer()
	for b.Loop() {
		w.config.Consumer.Group = "bench-" + time.Now().String()
		child := w.child(b)
		peak := 0.0
		for w.lag(b) > 0 {
			peak = peakMiB(b, child.Process.Pid)
			time.Sleep(time.Second)
		}
		b.ReportMetric(peak, "peak-MiB")
		require.NoError(b, child.Process.Kill())
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "rows/s")
}

// peakMiB is the most memory that a process has had.
func peakMiB(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	require.NoError(b, err)
	return float64(kib) / 1024
}

// processTime is the processor time that this process has used.
func processTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkFill(b *testing.B) {
	w := newWorld(b, 1)
	loader := w.prepare(b)
	batch := &insertBatch{rowBuilder: loader.rowBuilderFor(w.ingest(0))}
	entries := entriesOf(1000)
	bytes := int64(0)
	for i := range entries {
		bytes += int64(len(entries[i].Value))
	}
	b.SetBytes(bytes)
	b.ReportAllocs()
	for b.Loop() {
		for i := range entries {
			batch.add(&entries[i], 1)
		}
		batch.clear()
	}
	require.Empty(b, batch.deadLetters)
}
