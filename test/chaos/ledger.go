//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"time"
)

// Flags of an event.
const (
	acked      = 1 << iota // answered with 200: it must be stored
	retried                // sent more than once, because an answer was missing or not 200
	duplicated             // sent again after a 200
	shifted                // sent again after a 200, with another timestamp
)

// sentEvent is the state of one event.
type sentEvent struct {
	connection uint8
	flags      uint8
	sent       int32 // milliseconds after the start
	answered   int32 // of the first 200
}

// ledger is what was sent, and its answers. The number of an event is its index.
type ledger struct {
	start time.Time

	mu       sync.Mutex
	events   []sentEvent
	statuses map[string]int // number of requests by status
	notes    []string       // answers that no fault explains
}

func newLedger() *ledger {
	return &ledger{start: time.Now().UTC().Truncate(time.Millisecond), statuses: map[string]int{}}
}

// open adds n events and returns the number of the first.
func (l *ledger) open(connection, n int) (first int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = len(l.events)
	for range n {
		l.events = append(l.events, sentEvent{connection: uint8(connection), sent: l.sinceStart()})
	}
	return first
}

func (l *ledger) mark(first, n int, flag uint8) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := first; i < first+n; i++ {
		if flag == acked && l.events[i].flags&acked == 0 {
			l.events[i].answered = l.sinceStart()
		}
		l.events[i].flags |= flag
	}
}

// sinceStart is in milliseconds.
func (l *ledger) sinceStart() int32 { return int32(time.Since(l.start).Milliseconds()) }

// answer counts the answer to a request. note is "" unless no fault explains the answer.
func (l *ledger) answer(status, note string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statuses[status]++
	if note != "" {
		l.notes = append(l.notes, note)
	}
}

// counts returns the number of events sent, and of those answered with 200.
func (l *ledger) counts() (sent, ok int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.flags&acked != 0 {
			ok++
		}
	}
	return len(l.events), ok
}

// save writes the ledger to a file.
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
	for seq, e := range l.events {
		c := &connections[e.connection]
		fmt.Fprintf(w, "%s%d\t%s\t%s\t%t\t%t\t%t\t%t\t%d\t%d\n", idPrefix(seed), seq, c.product, c.id,
			e.flags&acked != 0, e.flags&retried != 0, e.flags&duplicated != 0, e.flags&shifted != 0, e.sent, e.answered)
	}
	return w.Flush()
}
