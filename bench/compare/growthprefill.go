//go:build linux

package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

const (
	loaderGroup     = "millrace-loader" // the default of bin/loader
	usersPerInsert  = 500_000
	prefillMerges   = 30 * time.Second // maximum time of merges after rows were inserted by SQL
	copyInterval    = 4 * time.Hour    // each copy of the rows is so much older than the copy before
	usersOfBrowsers = 1_000_000        // the first users, who also have an anonymous id
)

// userClaims inserts claims as loaders write them: one of the user's own id and address, and for the first users one of
// the browser in which the same person was anonymous. Its arguments are the namespace of ids, the length and the name
// of the workspace, the factor of browser ids, the first user, the number of users, and usersOfBrowsers.
const userClaims = `INSERT INTO user_claims (workspace_id, external_user_id, email, user_id, explicit_first, event_first,
	name_first, name_last, organization_last, properties_last, email_last, writer, written_at)
WITH SHA1(unhex('%[1]s') || 'user' || unhex('%[2]s') || '%[3]s' || name) AS h, lower(hex(h)) AS x,
	substring('89ab', 1 + bitAnd(bitShiftRight(reinterpretAsUInt8(substring(h, 9, 1)), 4), 3), 1) AS variant,
	name LIKE 'user%%' AS own, 9223372036854775807 AS never
SELECT '%[3]s', name, 'user' || toString(number) || '@example.com',
	toUUID(substring(x, 1, 8) || '-' || substring(x, 9, 4) || '-5' || substring(x, 14, 3) || '-' ||
		variant || substring(x, 18, 3) || '-' || substring(x, 21, 12)),
	(own ? 1 : never, 'identify'), (1, 'segment'), (1, 'Ada Lovelace'), (1, 'Ada Lovelace'), (-never - 1, ''),
	(1, '{}'), 1, 1, now64(6) - INTERVAL 1 DAY
FROM (SELECT number, arrayJoin(arraySlice(
	['user_' || toString(number), lower(leftPad(hex(toUInt64(number * %[4]d)), 16, '0'))],
	1, number < %[7]d ? 2 : 1)) AS name
	FROM numbers(%[5]d, %[6]d))`

// insertUsers inserts the users of the traffic, and marks them as read: loaders continue from there.
func (s *loaderRun) insertUsers(ctx context.Context, p *point) error {
	namespace := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/millrace/millrace"))
	for from := 0; from < p.users; from += usersPerInsert {
		insert := fmt.Sprintf(userClaims, hex.EncodeToString(namespace[:]), fmt.Sprintf("%04x", len(traffic.Workspace)),
			traffic.Workspace, uint64(traffic.BrowserFactor), from, min(usersPerInsert, p.users-from), usersOfBrowsers)
		if _, err := s.clickhouse.SQL(ctx, s.name, insert); err != nil {
			return fmt.Errorf("insert users: %w", err)
		}
	}
	if err := s.checkUsers(ctx); err != nil {
		return err
	}
	if err := s.awaitMerges(ctx, prefillMerges); err != nil {
		return err
	}
	lookup, err := warehouse.NewLookup(warehouse.Config{
		ClickHouse: s.clickhouse.Addr(), Database: s.name, User: "default",
		Compression: "none", Timeout: time.Minute, Inserts: 1,
	})
	if err != nil {
		return err
	}
	defer lookup.Close()
	var all []int32
	for i := range p.partitions {
		all = append(all, int32(i))
	}
	return lookup.SaveProgress(ctx, loaderGroup, all, time.Now())
}

// checkUsers checks that the SQL computes user ids as package identity does.
func (s *loaderRun) checkUsers(ctx context.Context) error {
	want := identity.UserID([]byte(traffic.Workspace), []byte("user_7")).String()
	got, err := s.clickhouse.SQL(ctx, s.name, "SELECT user_id FROM user_claims WHERE external_user_id = 'user_7'")
	if err == nil && got != want {
		err = fmt.Errorf("the user inserted by SQL is %q and must be %q", got, want)
	}
	return err
}

// rowCopy inserts older copies of the topic's rows with other ids. Its arguments are the number of the copy, its age in
// seconds, and the number of rows. Copies have a negative offset.
const rowCopy = `INSERT INTO events
SELECT * REPLACE ('segment:' || lower(hex(sipHash128(insert_id, %[1]d))) AS insert_id, -kafka_offset - 1 AS kafka_offset,
	event_at - INTERVAL %[2]d SECOND AS event_at, event_key_at - INTERVAL %[2]d SECOND AS event_key_at,
	received_at - INTERVAL %[2]d SECOND AS received_at)
FROM events WHERE kafka_offset >= 0 LIMIT %[3]d`

// copyRows copies the rows of the table until it has the given number.
func (s *loaderRun) copyRows(ctx context.Context, rows int) error {
	have, err := s.clickhouse.Count(ctx, s.name, "SELECT count() FROM events")
	if err != nil || have >= rows {
		return err
	}
	sample, copies, err := s.sample(ctx)
	if err != nil {
		return err
	}
	for ; have < rows && err == nil; copies++ {
		n := min(sample, rows-have)
		_, err = s.clickhouse.SQL(ctx, s.name, fmt.Sprintf(rowCopy, copies, copies*int(copyInterval.Seconds()), n))
		have += n
	}
	if err != nil {
		return err
	}
	return s.awaitMerges(ctx, prefillMerges)
}

// sample is the number of rows from the topic, and the number of the next copy.
func (s *loaderRun) sample(ctx context.Context) (rows, next int, err error) {
	rows, err = s.clickhouse.Count(ctx, s.name, "SELECT count() FROM events WHERE kafka_offset >= 0")
	if err == nil && rows == 0 {
		err = fmt.Errorf("there are no rows to copy: the first point must be 0")
	}
	if err == nil {
		next, err = s.clickhouse.Count(ctx, s.name, fmt.Sprintf(
			"SELECT toUInt32(ceil(dateDiff('second', min(received_at), max(received_at)) / %d)) + 1 FROM events",
			int(copyInterval.Seconds())))
	}
	return rows, next, err
}
