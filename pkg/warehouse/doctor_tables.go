package warehouse

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/millrace/millrace/pkg/doctor"
)

// writtenTables are those that loaders read and write.
var writtenTables = []string{"events", "dead_letters", "user_claims", "organization_claims", "conversation_activity", "products", "attribution_progress"}

// checkRights asks for what loaders need, and for what migrate does.
func (d *inspection) checkRights(ctx context.Context) {
	const check = "clickhouse rights"
	who, database := d.config.User, d.config.local()
	granted := func(right string) bool {
		var yes uint8
		err := d.db.QueryRowContext(ctx, "CHECK GRANT "+right).Scan(&yes)
		return err == nil && yes == 1
	}
	grant := func(right string) string { return "GRANT " + right + " TO " + who }
	before := d.report.Count(doctor.Fail)
	for _, table := range writtenTables {
		if !granted("SELECT, INSERT ON " + database + "." + table) {
			d.report.Fail(check, grant("SELECT, INSERT ON "+database+".*"), "%s may not read and write %s", who, table)
			break
		}
	}
	if !granted("SELECT ON system.processes") {
		d.report.Fail(check, grant("SELECT ON system.processes"), "%s may not see which of its queries run, which loaders want to know when they take a partition over", who)
	}
	if d.config.Replicated && !granted("SYSTEM SYNC REPLICA ON "+database+".*") {
		d.report.Fail(check, grant("SYSTEM SYNC REPLICA ON "+database+".*"), "%s may not wait until a replica has what the others have acknowledged", who)
	}
	if d.setting(ctx, "readonly") > 0 {
		d.report.Fail(check, "give "+who+" a profile with readonly = 0", "the profile of %s has readonly set", who)
	}
	switch {
	case d.report.Count(doctor.Fail) > before:
	case !granted("CREATE TABLE, CREATE VIEW, ALTER TABLE ON " + database + ".*"):
		d.report.OK(check, "%s may read and write, and not migrate: run millrace migrate as another user", who)
	default:
		d.report.OK(check, "%s may read, write and migrate", who)
	}
}

// deduplicated are the tables whose blocks are recognised when they are sent again.
var deduplicated = []string{"events", "dead_letters"}

// wantedWindow is what the migrations set.
const wantedWindow = 10_000

// checkWindows looks at what a block that is sent again is recognised by.
func (d *inspection) checkWindows(ctx context.Context) {
	for _, table := range deduplicated {
		check := "table " + table
		var engine, full string
		if err := d.db.QueryRowContext(ctx, "SELECT engine, engine_full FROM system.tables WHERE database = ? AND name = ?", d.config.local(), table).Scan(&engine, &full); err != nil {
			d.report.Fail(check, "run millrace migrate", "cannot be looked at: %v", err)
			continue
		}
		setting := "non_replicated_deduplication_window"
		if !strings.HasSuffix(engine, "MergeTree") {
			d.report.Fail(check, "have millrace migrate make it, or a table with an engine of that family", "is a %s, which does not recognise a block that is sent again", engine)
			continue
		}
		if strings.HasPrefix(engine, "Replicated") || strings.HasPrefix(engine, "Shared") {
			setting = "replicated_deduplication_window"
			d.judgeWindow(ctx, check, table, full, setting+"_seconds", 24*60*60)
		}
		d.judgeWindow(ctx, check, table, full, setting, wantedWindow)
	}
}

func (d *inspection) judgeWindow(ctx context.Context, check, table, full, setting string, want int64) {
	is, err := d.windowOf(ctx, full, setting)
	change := fmt.Sprintf("ALTER TABLE %s.%s MODIFY SETTING %s = %d", d.config.local(), table, setting, want)
	switch {
	case err != nil:
		d.report.Warn(check, change, "%s cannot be read: %v", setting, err)
	case is == 0:
		d.report.Fail(check, change, "has %s = 0, so a block that is sent again after a crash is counted twice until it is merged", setting)
	case is < want:
		d.report.Warn(check, change, "has %s = %d, so a block that is sent again late is counted twice until it is merged", setting, is)
	default:
		d.report.OK(check, "recognises what is sent again (%s = %d)", setting, is)
	}
}

// windowOf is the table's own setting, or else the server's.
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

// setting is a number among our user's settings; 0 if it is not there, or not to be seen.
func (d *inspection) setting(ctx context.Context, name string) (value uint64) {
	_ = d.db.QueryRowContext(ctx, "SELECT toUInt64OrZero(value) FROM system.settings WHERE name = ?", name).Scan(&value)
	return value
}

// checkLimits looks for bounds that queries of ours can meet.
func (d *inspection) checkLimits(ctx context.Context) {
	const check = "clickhouse limits"
	before := len(*d.report)
	for _, limit := range []struct {
		name  string
		least uint64
		why   string
	}{
		{"max_execution_time", 60, "looking back over many events may take as long"},
		{"max_memory_usage", 1 << 30, "views over many events need more"},
		{"max_concurrent_queries_for_user", 20, "each loader has up to ten queries under way"},
		{"max_rows_to_read", 1 << 40, "look-ups and views read as much as there is"},
		{"max_bytes_to_read", 1 << 50, "look-ups and views read as much as there is"},
	} {
		if is := d.setting(ctx, limit.name); is > 0 && is < limit.least {
			d.report.Warn(check, fmt.Sprintf("set it to 0 or at least %d in the profile of %s", limit.least, d.config.User), "%s is %d: %s", limit.name, is, limit.why)
		}
	}
	if len(*d.report) == before {
		d.report.OK(check, "the profile of %s has none that hurts", d.config.User)
	}
}

// checkParts compares the parts that wait to be merged with how many there may be.
func (d *inspection) checkParts(ctx context.Context) {
	const check = "clickhouse parts"
	var most, delayed uint64
	err := d.db.QueryRowContext(ctx, `SELECT (SELECT max(n) FROM (SELECT count() AS n FROM system.parts WHERE active AND database = ? GROUP BY table, partition_id)),
		(SELECT toUInt64(value) FROM system.merge_tree_settings WHERE name = 'parts_to_delay_insert')`, d.config.local()).Scan(&most, &delayed)
	const change = "have loaders insert larger blocks (--block-linger), or give ClickHouse more background_pool_size and a faster disk"
	switch {
	case err != nil:
		d.report.Warn(check, "GRANT SELECT ON system.parts, system.merge_tree_settings TO "+d.config.User, "cannot be looked at: %v", err)
	case most >= delayed:
		d.report.Fail(check, change, "a month of a table has %d parts, so that inserts are slowed down from %d on", most, delayed)
	case most >= delayed/2:
		d.report.Warn(check, change, "a month of a table has %d parts; inserts are slowed down from %d on", most, delayed)
	default:
		d.report.OK(check, "merges keep up: %d parts at most in a month of a table, and %d would slow inserts down", most, delayed)
	}
}

// checkDisks looks at the room there is.
func (d *inspection) checkDisks(ctx context.Context) {
	const check = "clickhouse disks"
	const change = "give it more room, or drop old months with ALTER TABLE … DROP PARTITION"
	rows, err := d.db.QueryContext(ctx, "SELECT name, free_space / total_space FROM system.disks WHERE total_space > 0 AND NOT is_remote")
	if err != nil {
		d.report.Warn(check, "GRANT SELECT ON system.disks TO "+d.config.User, "cannot be looked at: %v", err)
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
			d.report.Fail(check, change, "disk %s has %.1f %% of its room left", name, 100*free)
		case free < 0.1:
			d.report.Warn(check, change, "disk %s has %.1f %% of its room left", name, 100*free)
		default:
			d.report.OK(check, "disk %s has %.0f %% of its room left", name, 100*free)
		}
	}
	if err := rows.Err(); err != nil {
		d.report.Warn(check, remedy(err), "%v", err)
	}
}
