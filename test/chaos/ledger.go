//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"time"
)

// What is known of one event.
const (
	acked   = 1 << iota // a 200 was read: it must be there
	retried             // sent more than once because an answer was missing or no 200
	resent              // sent again though it had been answered with 200
	shifted             // the same with another timestamp
)

// entry is one event's line.
type entry struct {
	connection uint8
	flags      uint8
	sent       int32 // milliseconds after the start
	answered   int32 // of the first 200
}

// ledger is what was sent and how it was answered. An event's number is its index.
type ledger struct {
	start time.Time

	mu       sync.Mutex
	entries  []entry
	statuses map[string]int // answers, by requests
	notes    []string       // answers that no fault excuses
}

func newLedger() *ledger {
	return &ledger{start: time.Now().UTC().Truncate(time.Millisecond), statuses: map[string]int{}}
}

// open takes n new numbers.
func (l *ledger) open(connection, n int) (first int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = len(l.entries)
	for range n {
		l.entries = append(l.entries, entry{connection: uint8(connection), sent: int32(time.Since(l.start).Milliseconds())})
	}
	return first
}

func (l *ledger) mark(first, n int, flag uint8) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := first; i < first+n; i++ {
		if flag == acked && l.entries[i].flags&acked == 0 {
			l.entries[i].answered = int32(time.Since(l.start).Milliseconds())
		}
		l.entries[i].flags |= flag
	}
}

// answer counts a request's answer; note is "" unless nothing excuses it.
func (l *ledger) answer(status, note string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statuses[status]++
	if note != "" {
		l.notes = append(l.notes, note)
	}
}

// counts are the events sent, and those answered with 200.
func (l *ledger) counts() (sent, ok int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.flags&acked != 0 {
			ok++
		}
	}
	return len(l.entries), ok
}

// save writes the ledger for whoever looks into a finding.
func (l *ledger) save(path string, seed uint64, connections []connection) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	fmt.Fprintln(w, "id\tproduct\tconnection\tacked\tretried\tresent\tshifted\tsent_ms\tanswered_ms")
	for seq, e := range l.entries {
		c := &connections[e.connection]
		fmt.Fprintf(w, "%s%d\t%s\t%s\t%t\t%t\t%t\t%t\t%d\t%d\n", idPrefix(seed), seq, c.product, c.id,
			e.flags&acked != 0, e.flags&retried != 0, e.flags&resent != 0, e.flags&shifted != 0, e.sent, e.answered)
	}
	return w.Flush()
}
