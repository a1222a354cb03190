//go:build linux

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// verdict is what the oracle found.
type verdict struct {
	sent, acked, stored int
	resent              int // by us on purpose, or for want of an answer

	lost, doubled, never, wrong int // of outcomes
	users                       int // people with two ids
	rows, secondRows, revised   int // of events without FINAL
	deadLetters                 int
	answers                     int // that no fault excuses
	unloaded                    int64
	findings                    []string // the first of each
}

// mostFindings bounds what is printed of each kind.
const mostFindings = 8

func (v *verdict) find(count *int, format string, args ...any) {
	*count++
	if *count <= mostFindings {
		v.findings = append(v.findings, fmt.Sprintf(format, args...))
	}
}

// bad tells whether anything was found.
func (v *verdict) bad() bool {
	return v.lost+v.doubled+v.never+v.wrong+v.users+v.secondRows+v.deadLetters+v.answers > 0 || v.unloaded > 0
}

// awaitLoaded waits until the group has done all there is, and returns what is left when ctx ends.
func (w *world) awaitLoaded(ctx context.Context) (left int64) {
	for {
		left = 0
		for _, topic := range []string{ingest, deadLetters} {
			asking, cancel := context.WithTimeout(ctx, watchPatience)
			ends, err := w.progress.Ends(asking, topic)
			committed, err2 := w.progress.Committed(asking, topic)
			cancel()
			if err != nil || err2 != nil {
				left = max(left, 1)
			}
			for id, end := range ends {
				left += end - max(committed[id], 0)
			}
		}
		if left == 0 || ctx.Err() != nil {
			return left
		}
		time.Sleep(watchPoll)
	}
}

// judge reads what is stored and compares it with the ledger.
func (w *world) judge(ctx context.Context, v *verdict) error {
	v.sent, v.acked = w.ledger.counts()
	for _, note := range w.ledger.notes {
		v.find(&v.answers, "an answer that nothing excuses: %s", note)
	}
	if err := w.judgeRows(ctx, v); err != nil {
		return fmt.Errorf("look for second rows: %w", err)
	}
	if err := w.judgeOutcomes(ctx, v); err != nil {
		return fmt.Errorf("read the outcomes: %w", err)
	}
	if err := w.each(ctx, "SELECT user_email, toString(groupUniqArray(user_id)) FROM outcomes WHERE user_email IS NOT NULL GROUP BY user_email HAVING uniqExact(user_id) > 1", func(line string) {
		v.find(&v.users, "a person with two ids: %s", line)
	}); err != nil {
		return fmt.Errorf("compare users: %w", err)
	}
	return w.each(ctx, "SELECT reason, detail, message, origin FROM dead_letters FINAL", func(line string) {
		v.find(&v.deadLetters, "a dead letter: %s", line)
	})
}

func (w *world) judgeOutcomes(ctx context.Context, v *verdict) error {
	prefix := idPrefix(w.cli.Seed)
	there := make([]uint8, len(w.ledger.entries))
	err := w.each(ctx, "SELECT "+columns+" FROM outcomes", func(line string) {
		v.stored++
		id, _, _ := strings.Cut(line, "\t")
		seq, err := strconv.Atoi(strings.TrimPrefix(id, prefix))
		if err != nil || seq < 0 || seq >= len(there) || !strings.HasPrefix(id, prefix) {
			v.find(&v.never, "never sent: %s", line)
			return
		}
		m := messageOf(w.cli.Seed, w.ledger.start, seq)
		if want := m.row(w.cli.Seed, &w.connections[w.ledger.entries[seq].connection]); line != want {
			v.find(&v.wrong, "not as it should be: %s: want %s", line, want)
		}
		if there[seq] = min(there[seq]+1, 2); there[seq] == 2 {
			v.find(&v.doubled, "twice in outcomes: %s", line)
		}
	})
	if err != nil {
		return err
	}
	for seq, e := range w.ledger.entries {
		if e.flags&(retried|resent|shifted) != 0 {
			v.resent++
		}
		if e.flags&acked != 0 && there[seq] == 0 {
			c := w.connections[e.connection]
			v.find(&v.lost, "LOST: %s%d of %s, sent %s and answered %s after the start", prefix, seq, c.product,
				time.Duration(e.sent)*time.Millisecond, time.Duration(e.answered)*time.Millisecond)
		}
	}
	return nil
}

// secondRows are rows of the very same record of the log and version: nobody but we made them two. secondKeys are
// rows with the same key, which senders make too by sending again.
const (
	secondRows = `SELECT kafka_partition, kafka_offset, any(insert_id), any(product_id), count(), toString(groupArray(_part)) FROM events
		GROUP BY kafka_topic, kafka_partition, kafka_offset, version HAVING count() > 1`
	secondKeys = `SELECT substring(insert_id, 9), product_id, toString(groupArray((kafka_partition, kafka_offset, version))) FROM events
		GROUP BY product_id, event_key_at, insert_id HAVING count() > 1 AND uniqExact(kafka_topic, kafka_partition, kafka_offset) = count()`
	countRows = "SELECT count(), uniqExact(kafka_topic, kafka_partition, kafka_offset, version) - uniqExact(kafka_topic, kafka_partition, kafka_offset) FROM events"
)

// judgeRows adds what is there at this moment. An event that was sent again may have a second row; one that was
// sent once may not.
func (w *world) judgeRows(ctx context.Context, v *verdict) error {
	counts, err := w.sql(ctx, countRows)
	if err != nil {
		return err
	}
	var revised int
	if _, err := fmt.Sscan(counts, &v.rows, &revised); err != nil {
		return fmt.Errorf("%s: %w", counts, err)
	}
	v.revised += revised
	if err := w.each(ctx, secondRows, func(line string) { v.find(&v.secondRows, "two rows of one record: %s", line) }); err != nil {
		return err
	}
	prefix := idPrefix(w.cli.Seed)
	return w.each(ctx, secondKeys, func(line string) {
		id, _, _ := strings.Cut(line, "\t")
		seq, err := strconv.Atoi(strings.TrimPrefix(id, prefix))
		w.ledger.mu.Lock()
		defer w.ledger.mu.Unlock()
		if err != nil || seq >= len(w.ledger.entries) || w.ledger.entries[seq].flags&(retried|resent|shifted) == 0 {
			v.find(&v.secondRows, "two rows of an event that was sent once: %s", line)
		}
	})
}
