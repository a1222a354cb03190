//go:build linux

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// result is the result of the checks.
type result struct {
	sent, acked, stored int
	sentTwice           int // on purpose, or for lack of an answer

	lost, duplicates, neverSent, wrong int // outcomes
	splitUsers                         int // users with two ids
	rows, secondRows, revised          int // in events, without FINAL
	deadLetters                        int
	badAnswers                         int // that no fault explains
	notLoaded                          int64
	findings                           []string // the first of each kind
}

// maxFindings is the number of findings of each kind that are printed.
const maxFindings = 8

func (v *result) find(count *int, format string, args ...any) {
	*count++
	if *count <= maxFindings {
		v.findings = append(v.findings, fmt.Sprintf(format, args...))
	}
}

// failed reports whether any check failed.
func (v *result) failed() bool {
	outcomes := v.lost + v.duplicates + v.neverSent + v.wrong + v.splitUsers
	findings := outcomes + v.secondRows + v.deadLetters + v.badAnswers
	return findings > 0 || v.notLoaded > 0
}

// awaitLoaded waits until the group has committed all records, and returns the number that is left when ctx ends.
func (sys *system) awaitLoaded(ctx context.Context) (left int64) {
	for {
		left = 0
		for _, topic := range []string{ingest, deadLetters} {
			asking, cancel := context.WithTimeout(ctx, watchTimeout)
			ends, err := sys.progress.Ends(asking, topic)
			committed, err2 := sys.progress.Committed(asking, topic)
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

// check compares what is stored with the ledger.
func (sys *system) check(ctx context.Context, v *result) error {
	v.sent, v.acked = sys.ledger.counts()
	for _, note := range sys.ledger.notes {
		v.find(&v.badAnswers, "unexplained answer: %s", note)
	}
	if err := sys.checkRows(ctx, v); err != nil {
		return fmt.Errorf("check duplicate rows: %w", err)
	}
	if err := sys.checkOutcomes(ctx, v); err != nil {
		return fmt.Errorf("read the outcomes: %w", err)
	}
	const splitUsers = `SELECT user_email, toString(groupUniqArray(user_id)) FROM outcomes WHERE user_email IS NOT NULL
		GROUP BY user_email HAVING uniqExact(user_id) > 1`
	if err := sys.clickhouse.Each(ctx, database, splitUsers, func(line string) {
		v.find(&v.splitUsers, "user with two ids: %s", line)
	}); err != nil {
		return fmt.Errorf("compare users: %w", err)
	}
	return sys.clickhouse.Each(
		ctx,
		database,
		"SELECT reason, detail, message, origin FROM dead_letters FINAL",
		func(line string) {
			v.find(&v.deadLetters, "dead letter: %s", line)
		},
	)
}

func (sys *system) checkOutcomes(ctx context.Context, v *result) error {
	prefix := idPrefix(sys.cli.Seed)
	stored := make([]uint8, len(sys.ledger.events))
	err := sys.clickhouse.Each(ctx, database, "SELECT "+columns+" FROM outcomes", func(line string) {
		v.stored++
		id, _, _ := strings.Cut(line, "\t")
		seq, err := strconv.Atoi(strings.TrimPrefix(id, prefix))
		if err != nil || seq < 0 || seq >= len(stored) || !strings.HasPrefix(id, prefix) {
			v.find(&v.neverSent, "never sent: %s", line)
			return
		}
		m := messageOf(sys.cli.Seed, sys.ledger.start, seq)
		if want := m.row(sys.cli.Seed, &sys.connections[sys.ledger.events[seq].connection]); line != want {
			v.find(&v.wrong, "wrong outcome: %s: want %s", line, want)
		}
		if stored[seq] = min(stored[seq]+1, 2); stored[seq] == 2 {
			v.find(&v.duplicates, "duplicate outcome: %s", line)
		}
	})
	if err != nil {
		return err
	}
	for seq, e := range sys.ledger.events {
		if e.flags&(retried|duplicated|shifted) != 0 {
			v.sentTwice++
		}
		if e.flags&acked != 0 && stored[seq] == 0 {
			c := sys.connections[e.connection]
			v.find(&v.lost, "lost: %s%d of %s, sent %s and answered %s after the start", prefix, seq, c.product,
				time.Duration(e.sent)*time.Millisecond, time.Duration(e.answered)*time.Millisecond)
		}
	}
	return nil
}

// secondRows selects rows of the same record and version: they are our duplicates. secondKeys selects rows with the
// same key, which are our duplicates if the sender sent the event once.
const (
	secondRows = `SELECT kafka_partition, kafka_offset, any(insert_id), any(product_id), count(),
		toString(groupArray(_part)) FROM events GROUP BY kafka_topic, kafka_partition, kafka_offset, version HAVING count() > 1`
	secondKeys = `SELECT substring(insert_id, 9), product_id,
		toString(groupArray((kafka_partition, kafka_offset, version))) FROM events
		GROUP BY product_id, event_key_at, insert_id
		HAVING count() > 1 AND uniqExact(kafka_topic, kafka_partition, kafka_offset) = count()`
	countRows = `SELECT count(), uniqExact(kafka_topic, kafka_partition, kafka_offset, version)
		- uniqExact(kafka_topic, kafka_partition, kafka_offset) FROM events`
)

// checkRows adds the findings of the current rows. An event that was sent twice may have a second row.
func (sys *system) checkRows(ctx context.Context, v *result) error {
	counts, err := sys.sql(ctx, countRows)
	if err != nil {
		return err
	}
	var revised int
	if _, err := fmt.Sscan(counts, &v.rows, &revised); err != nil {
		return fmt.Errorf("%s: %w", counts, err)
	}
	v.revised += revised
	err = sys.clickhouse.Each(
		ctx,
		database,
		secondRows,
		func(line string) { v.find(&v.secondRows, "two rows of one record: %s", line) },
	)
	if err != nil {
		return err
	}
	prefix := idPrefix(sys.cli.Seed)
	return sys.clickhouse.Each(ctx, database, secondKeys, func(line string) {
		id, _, _ := strings.Cut(line, "\t")
		seq, err := strconv.Atoi(strings.TrimPrefix(id, prefix))
		sys.ledger.mu.Lock()
		defer sys.ledger.mu.Unlock()
		if err != nil || seq >= len(sys.ledger.events) ||
			sys.ledger.events[seq].flags&(retried|duplicated|shifted) == 0 {
			v.find(&v.secondRows, "two rows of an event that was sent once: %s", line)
		}
	})
}
