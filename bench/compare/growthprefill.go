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

const loaderGroup = "millrace-loader" // the default of bin/loader

// settle makes the users whom the traffic is about, by what loaders would have written of them: one claim of the user's
// own id and address, and for the first million one of the browser in which the same person was a stranger. Loaders go on
// from there.
func (s *store) settle(ctx context.Context, p *point) error {
	const atOnce = 500_000
	namespace := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/millrace/millrace"))
	for from := 0; from < p.users; from += atOnce {
		_, err := s.clickhouse.SQL(ctx, s.name, fmt.Sprintf(`INSERT INTO user_claims (workspace_id, external_user_id, email, user_id, explicit_first, event_first, name_first, name_last, organization_last, properties_last, email_last, writer, written_at)
			WITH SHA1(unhex('%[1]s') || 'user' || unhex('%[2]s') || '%[3]s' || name) AS h, lower(hex(h)) AS x,
				substring('89ab', 1 + bitAnd(bitShiftRight(reinterpretAsUInt8(substring(h, 9, 1)), 4), 3), 1) AS variant,
				name LIKE 'user%%' AS own, 9223372036854775807 AS never
			SELECT '%[3]s', name, 'user' || toString(number) || '@example.com',
				toUUID(substring(x, 1, 8) || '-' || substring(x, 9, 4) || '-5' || substring(x, 14, 3) || '-' || variant || substring(x, 18, 3) || '-' || substring(x, 21, 12)),
				(own ? 1 : never, 'identify'), (1, 'segment'), (1, 'Ada Lovelace'), (1, 'Ada Lovelace'), (-never - 1, ''), (1, '{}'), 1, 1, now64(6) - INTERVAL 1 DAY
			FROM (SELECT number, arrayJoin(arraySlice(['user_' || toString(number), lower(leftPad(hex(toUInt64(number * %[4]d)), 16, '0'))], 1, number < 1000000 ? 2 : 1)) AS name FROM numbers(%[5]d, %[6]d))`,
			hex.EncodeToString(namespace[:]), fmt.Sprintf("%04x", len(traffic.Workspace)), traffic.Workspace, uint64(0x9e3779b97f4a7c15), from, min(atOnce, p.users-from)))
		if err != nil {
			return fmt.Errorf("make users: %w", err)
		}
	}
	if err := s.checkUsers(ctx); err != nil {
		return err
	}
	if err := s.merge(ctx, settleMost); err != nil {
		return err
	}
	lookup, err := warehouse.NewLookup(warehouse.Config{ClickHouse: s.clickhouse.Addr(), Database: s.name, User: "default", Compression: "none", Timeout: time.Minute, Inserts: 1})
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

// settleMost is how long ClickHouse may merge what was made beforehand.
const settleMost = 30 * time.Second

// checkUsers looks that SQL reckons ids as attribution does.
func (s *store) checkUsers(ctx context.Context) error {
	want := identity.UserID([]byte(traffic.Workspace), []byte("user_7")).String()
	got, err := s.clickhouse.SQL(ctx, s.name, "SELECT user_id FROM user_claims WHERE external_user_id = 'user_7'")
	if err == nil && got != want {
		err = fmt.Errorf("the user made is %q and has to be %q", got, want)
	}
	return err
}

// between is how much earlier each copy of the rows happened than the one before.
const between = 4 * time.Hour

// grow makes copies of the rows that are there, older and with other ids, until there are so many. Copies have an offset
// below 0.
func (s *store) grow(ctx context.Context, rows int) error {
	const count = "SELECT count() FROM events"
	have, err := s.clickhouse.Count(ctx, s.name, count)
	if err != nil || have >= rows {
		return err
	}
	sample, copies, err := s.sample(ctx)
	if err != nil {
		return err
	}
	for ; have < rows && err == nil; copies++ {
		_, err = s.clickhouse.SQL(ctx, s.name, fmt.Sprintf(`INSERT INTO events
			SELECT * REPLACE ('segment:' || lower(hex(sipHash128(insert_id, %[1]d))) AS insert_id, -kafka_offset - 1 AS kafka_offset,
				event_at - INTERVAL %[2]d SECOND AS event_at, event_key_at - INTERVAL %[2]d SECOND AS event_key_at, received_at - INTERVAL %[2]d SECOND AS received_at)
			FROM events WHERE kafka_offset >= 0 LIMIT %[3]d`, copies, copies*int(between.Seconds()), min(sample, rows-have)))
		have += min(sample, rows-have)
	}
	if err != nil {
		return err
	}
	return s.merge(ctx, settleMost)
}

// sample is how many rows came from the topic, and the number of the next copy of them.
func (s *store) sample(ctx context.Context) (rows, next int, err error) {
	if rows, err = s.clickhouse.Count(ctx, s.name, "SELECT count() FROM events WHERE kafka_offset >= 0"); err == nil && rows == 0 {
		err = fmt.Errorf("there are no rows to copy: begin with 0")
	}
	if err == nil {
		next, err = s.clickhouse.Count(ctx, s.name, fmt.Sprintf("SELECT toUInt32(ceil(dateDiff('second', min(received_at), max(received_at)) / %d)) + 1 FROM events", int(between.Seconds())))
	}
	return rows, next, err
}
