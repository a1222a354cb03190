package warehouse

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/millrace/millrace/pkg/doctor"
)

// writtenTables are the tables that loaders read and write.
var writtenTables = []string{
	"events",
	"dead_letters",
	"user_claims",
	"organization_claims",
	"conversation_activity",
	"products",
	"attribution_progress",
}

// checkRights checks the rights that loaders need, and those that migrate needs.
func (d *inspection) checkRights(ctx context.Context) {
	const check = "clickhouse rights"
	user, database := d.config.User, d.config.local()
	granted := func(right string) bool {
		var yes uint8
		err := d.db.QueryRowContext(ctx, "CHECK GRANT "+right).Scan(&yes)
		return err == nil && yes == 1
	}
	grant := func(right string) string { return "GRANT " + right + " TO " + user }
	before := d.report.Count(doctor.Fail)
	for _, table := range writtenTables {
		if !granted("SELECT, INSERT ON " + database + "." + table) {
			d.report.Fail(check, grant("SELECT, INSERT ON "+database+".*"), "%s may not read and write %s", user, table)
			break
		}
	}
	if !granted("SELECT ON system.processes") {
		d.report.Fail(
			check,
			grant("SELECT ON system.processes"),
			"%s may not see its running queries, which loaders check when a partition is assigned",
			user,
		)
	}
	if d.config.Replicated && !granted("SYSTEM SYNC REPLICA ON "+database+".*") {
		d.report.Fail(
			check,
			grant("SYSTEM SYNC REPLICA ON "+database+".*"),
			"%s may not wait until a replica has what the others have acknowledged",
			user,
		)
	}
	if d.setting(ctx, "readonly") > 0 {
		d.report.Fail(check, "give "+user+" a profile with readonly = 0", "the profile of %s has readonly set", user)
	}
	switch {
	case d.report.Count(doctor.Fail) > before:
	case !granted("CREATE TABLE, CREATE VIEW, ALTER TABLE ON " + database + ".*"):
		d.report.OK(check, "%s may read and write but not migrate: run millrace migrate as another user", user)
	default:
		d.report.OK(check, "%s may read, write and migrate", user)
	}
}

// deduplicated are the tables with block deduplication.
var deduplicated = []string{"events", "dead_letters"}

// wantedWindow is the deduplication window that the migrations set, in blocks.
const wantedWindow = 10_000

// checkWindows checks the block deduplication of tables.
func (d *inspection) checkWindows(ctx context.Context) {
	for _, table := range deduplicated {
		check := "table " + table
		var engine, full string
		if err := d.db.QueryRowContext(ctx, "SELECT engine, engine_full FROM system.tables WHERE database = ? AND name = ?", d.config.local(), table).
			Scan(&engine, &full); err != nil {
			d.report.Fail(check, "run millrace migrate", "cannot be read: %v", err)
			continue
		}
		setting := "non_replicated_deduplication_window"
		if !strings.HasSuffix(engine, "MergeTree") {
			d.report.Fail(
				check,
				"create it with millrace migrate, or with an engine of the MergeTree family",
				"has the engine %s, which has no block deduplication",
				engine,
			)
			continue
		}
		if strings.HasPrefix(engine, "Replicated") || strings.HasPrefix(engine, "Shared") {
			setting = "replicated_deduplication_window"
			d.checkWindow(ctx, check, table, full, setting+"_seconds", 24*60*60)
		}
		d.checkWindow(ctx, check, table, full, setting, wantedWindow)
	}
}

func (d *inspection) checkWindow(ctx context.Context, check, table, full, setting string, want int64) {
	is, err := d.windowOf(ctx, full, setting)
	change := fmt.Sprintf("ALTER TABLE %s.%s MODIFY SETTING %s = %d", d.config.local(), table, setting, want)
	switch {
	case err != nil:
		d.report.Warn(check, change, "%s cannot be read: %v", setting, err)
	case is == 0:
		d.report.Fail(
			check,
			change,
			"has %s = 0: rows of a block that is retried after a crash count twice until a merge",
			setting,
		)
	case is < want:
		d.report.Warn(
			check,
			change,
			"has %s = %d: rows of a block that is retried late count twice until a merge",
			setting,
			is,
		)
	default:
		d.report.OK(check, "block deduplication is on (%s = %d)", setting, is)
	}
}

// windowOf returns a setting of the table, or else of the server.
func (d *inspection) windowOf(ctx context.Context, full, setting string) (is int64, err error) {
	if m := regexp.MustCompile(`\b` + setting + ` = (\d+)`).FindStringSubmatch(full); m != nil {
		return strconv.ParseInt(m[1], 10, 64)
	}
	from := "system.merge_tree_settings"
	if strings.HasPrefix(setting, "replicated") {
		from = "system.replicated_merge_tree_settings"
	}
	err = d.db.QueryRowContext(ctx, "SELECT toInt64(value) FROM "+from+" WHERE name = ?", setting).Scan(&is)
	return is, err
}

// setting returns a numeric setting of the user, or 0 if it cannot be read.
func (d *inspection) setting(ctx context.Context, name string) (value uint64) {
	_ = d.db.QueryRowContext(ctx, "SELECT toUInt64OrZero(value) FROM system.settings WHERE name = ?", name).Scan(&value)
	return value
}

// checkLimits checks the user's limits that queries of Millrace can reach.
func (d *inspection) checkLimits(ctx context.Context) {
	const check = "clickhouse limits"
	before := len(*d.report)
	for _, limit := range []struct {
		name  string
		least uint64
		why   string
	}{
		{"max_execution_time", 60, "look-ups over many events may take as long"},
		{"max_memory_usage", 1 << 30, "views over many events need more"},
		{"max_concurrent_queries_for_user", 20, "each loader has up to ten queries in progress"},
		{"max_rows_to_read", 1 << 40, "look-ups and views may read whole tables"},
		{"max_bytes_to_read", 1 << 50, "look-ups and views may read whole tables"},
	} {
		if is := d.setting(ctx, limit.name); is > 0 && is < limit.least {
			d.report.Warn(
				check,
				fmt.Sprintf("set it to 0 or at least %d in the profile of %s", limit.least, d.config.User),
				"%s is %d: %s",
				limit.name,
				is,
				limit.why,
			)
		}
	}
	if len(*d.report) == before {
		d.report.OK(check, "the profile of %s has no limit that is too low", d.config.User)
	}
}

// partLimit is the limit of a setting: that of the table if it has one, and otherwise that of the server.
func partLimit(setting string) string {
	return "ifNull(toUInt64OrNull(extract(t.engine_full, '" + setting + ` = (\\d+)')), ` +
		"(SELECT toUInt64(value) FROM system.merge_tree_settings WHERE name = '" + setting + "'))"
}

// tableParts is the number of active parts of a table, and its limits.
type tableParts struct {
	table        string
	month, total uint64 // of the month with the most parts, and of all months
	delay, throw uint64 // parts of a month that delay and refuse inserts
	limit        uint64 // parts of all months that refuse inserts
}

// checkParts checks that inserts are neither delayed nor refused because of too many parts.
func (d *inspection) checkParts(ctx context.Context) {
	const check = "clickhouse parts"
	const change = "have loaders insert larger blocks (--block-linger), or give ClickHouse more background_pool_size and a faster disk"
	tables, err := d.readParts(ctx)
	if err != nil {
		grant := "GRANT SELECT ON system.parts, system.tables, system.merge_tree_settings TO " + d.config.User
		d.report.Warn(check, grant, "cannot be read: %v", err)
		return
	}
	healthy := true
	for _, t := range tables {
		switch {
		case t.month >= t.throw:
			d.report.Fail(
				check,
				change,
				"%s has %d parts in a month: inserts are refused from %d on (TOO_MANY_PARTS)",
				t.table,
				t.month,
				t.throw,
			)
		case t.total >= t.limit:
			d.report.Fail(
				check,
				change,
				"%s has %d parts: inserts are refused from %d on (TOO_MANY_PARTS)",
				t.table,
				t.total,
				t.limit,
			)
		case t.month >= t.delay:
			d.report.Fail(
				check,
				change,
				"%s has %d parts in a month: inserts are delayed from %d on",
				t.table,
				t.month,
				t.delay,
			)
		case t.month >= t.delay/2:
			d.report.Warn(
				check,
				change,
				"%s has %d parts in a month: inserts are delayed from %d on",
				t.table,
				t.month,
				t.delay,
			)
		default:
			continue
		}
		healthy = false
	}
	if healthy {
		d.report.OK(check, "merges keep up: all tables are below half of the number of parts that delays inserts")
	}
}

func (d *inspection) readParts(ctx context.Context) (tables []tableParts, err error) {
	rows, err := d.db.QueryContext(
		ctx,
		`SELECT p.table, max(p.n), sum(p.n), any(`+partLimit("parts_to_delay_insert")+`),
		any(`+partLimit("parts_to_throw_insert")+`), any(`+partLimit("max_parts_in_total")+`)
		FROM (SELECT database, table, count() AS n FROM system.parts WHERE active AND database = ?
			GROUP BY database, table, partition_id) AS p
		JOIN system.tables AS t ON t.database = p.database AND t.name = p.table GROUP BY p.table ORDER BY p.table`,
		d.config.local(),
	)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t tableParts
		if err := rows.Scan(&t.table, &t.month, &t.total, &t.delay, &t.throw, &t.limit); err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, rows.Err()
}

// checkDisks checks the free space of local disks.
func (d *inspection) checkDisks(ctx context.Context) {
	const check = "clickhouse disks"
	const change = "add space, or drop old months with ALTER TABLE … DROP PARTITION"
	rows, err := d.db.QueryContext(
		ctx,
		"SELECT name, free_space / total_space FROM system.disks WHERE total_space > 0 AND NOT is_remote",
	)
	if err != nil {
		d.report.Warn(check, "GRANT SELECT ON system.disks TO "+d.config.User, "cannot be read: %v", err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var free float64
		if err := rows.Scan(&name, &free); err != nil {
			break
		}
		switch {
		case free < 0.02:
			d.report.Fail(check, change, "disk %s has %.1f %% free space", name, 100*free)
		case free < 0.1:
			d.report.Warn(check, change, "disk %s has %.1f %% free space", name, 100*free)
		default:
			d.report.OK(check, "disk %s has %.0f %% free space", name, 100*free)
		}
	}
	if err := rows.Err(); err != nil {
		d.report.Warn(check, remedy(err), "%v", err)
	}
}

// reasonRecordsLost is stream.ReasonRecordsLost, which this package does not import.
const reasonRecordsLost = "records_lost"

// checkLostRecords reports losses of the last 30 days. Loaders record each as a dead letter.
func (d *inspection) checkLostRecords(ctx context.Context) {
	const check = "lost records"
	var losses, records uint64
	query := `SELECT count(), sum(toUInt64OrZero(extract(detail, '^[0-9]+'))) FROM ` +
		"`" + d.config.local() + "`" + `.dead_letters FINAL WHERE reason = ? AND received_at > now() - INTERVAL 30 DAY`
	err := d.db.QueryRowContext(ctx, query, reasonRecordsLost).Scan(&losses, &records)
	switch {
	case err != nil:
		return // the check of the table says why
	case losses > 0:
		d.report.Fail(check, "raise retention.ms and retention.bytes of the topic, and have loaders keep up",
			"in the last 30 days the brokers deleted %s before a loader read them; see dead_letters with the reason %s",
			doctor.Some(int64(records), "message"), reasonRecordsLost)
	default:
		d.report.OK(check, "none in the last 30 days")
	}
}
