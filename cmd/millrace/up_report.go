package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"golang.org/x/term"
)

// report is what "up" shows. On a terminal its last line is rewritten in place; log lines go above it.
type report struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	line     string
}

func newReport(out *os.File) *report {
	return &report{out: out, terminal: term.IsTerminal(int(out.Fd()))}
}

// clearLine is the terminal's "to the start, and erase".
const clearLine = "\r\x1b[K"

// Write takes log lines.
func (r *report) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.terminal && r.line != "" {
		fmt.Fprint(r.out, clearLine)
	}
	n, err := r.out.Write(b)
	if r.terminal {
		fmt.Fprint(r.out, r.line)
	}
	return n, err
}

// status replaces the last line.
func (r *report) status(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if line == r.line {
		return
	}
	r.line = line
	if r.terminal {
		fmt.Fprint(r.out, clearLine+line)
		return
	}
	fmt.Fprintln(r.out, line)
}

func (r *report) fetching(done, total int64) {
	r.status(fmt.Sprintf("Fetching ClickHouse, once for this machine: %d of %d MB", done/1e6, total/1e6))
}

func (r *report) fetched() {
	r.status("")
	fmt.Fprintln(r, "Fetched ClickHouse.")
}

func (r *report) stopping() {
	r.status("")
	fmt.Fprintln(r, "Stopping: what was answered with 200 is in ClickHouse, or in Kafka for the next start.")
}

const welcome = `
Millrace is up; it keeps its data in %[1]s.

  Console       %[8]s
  Webhook URL   %[2]s
  Metrics       %[3]s/metrics
  Kafka         %[4]s
  ClickHouse    %[5]s, HTTP %[6]s

Post an event:

  curl -X POST "%[2]s" \
    -H "Content-Type: application/json" \
    -d '{"type":"track","event":"Order Completed","userId":"user_test_123","messageId":"msg_test_001","timestamp":"2026-05-18T12:00:00Z","properties":{"revenue":49.0,"plan":"pro"}}'

See it arrive in the console, and what became of it a second later, in another terminal:

  %[7]s sql --data %[1]s "SELECT event_type, influence, value, external_user_id, event_at FROM outcomes"

Ctrl-C stops it; nothing is lost.

`

func (r *report) welcome(data, url string, s state) {
	fmt.Fprintf(
		r,
		welcome,
		data,
		url,
		s.Admin,
		s.Kafka,
		s.ClickHouse,
		s.ClickHouseURL,
		os.Args[0],
		cmp.Or(s.Console, "none: see the log"),
	)
}

// liveEvery is how often the live line is refreshed on a terminal; elsewhere it is written when it has
// changed, at most so often.
const (
	liveEvery     = time.Second
	liveEveryFile = 10 * time.Second
)

// live shows what goes through until ctx ends.
func (r *report) live(ctx context.Context, registry *prometheus.Registry) {
	every := liveEveryFile
	if r.terminal {
		every = liveEvery
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if line, err := liveLine(registry); err == nil {
				r.status(line)
			}
		case <-ctx.Done():
			return
		}
	}
}

func liveLine(registry *prometheus.Registry) (string, error) {
	families, err := registry.Gather()
	if err != nil {
		return "", err
	}
	sums := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			if stored := family.GetName() == "millrace_loader_records_committed_total"; !stored ||
				labelled(m, "topic", "millrace.ingest") {
				sums[family.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return fmt.Sprintf(
		"events in %.0f · stored %.0f · dropped %.0f · dead %.0f · lag %.0f",
		sums["millrace_edge_messages_accepted_total"],
		sums["millrace_loader_records_committed_total"],
		sums["millrace_edge_messages_ignored_total"],
		sums["millrace_edge_dead_letters_total"]+sums["millrace_loader_dead_letters_total"],
		sums["millrace_loader_lag_records"],
	), nil
}

func labelled(m *dto.Metric, name, value string) bool {
	for _, label := range m.Label {
		if label.GetName() == name {
			return label.GetValue() == value
		}
	}
	return false
}
