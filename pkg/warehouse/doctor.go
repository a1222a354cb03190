package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/millrace/millrace/pkg/doctor"
)

// testedVersion is the version of ClickHouse that the tests run on.
var testedVersion = [2]int{26, 7}

// Diagnose checks ClickHouse and the tables, and adds the results to the report. It changes nothing.
func Diagnose(ctx context.Context, config Config, r *doctor.Report) {
	if err := config.Validate(); err != nil {
		r.Fail(serverCheck, "correct that flag", "%v", err)
		return
	}
	if config.Cluster != "" {
		diagnoseCluster(ctx, config, r)
		return
	}
	diagnoseServer(ctx, config, r, true)
}

// diagnoseServer checks one server. Of a cluster's replicas, only one has the table of migrations.
func diagnoseServer(ctx context.Context, config Config, r *doctor.Report, hasMigrations bool) {
	ctx, end := withoutDeadline(ctx) // max_execution_time is among the checked settings
	defer end()
	db, err := config.open("")
	if err != nil {
		r.Fail(serverCheck, "correct that flag", "%v", err)
		return
	}
	defer db.Close()
	d := &inspection{config: config, db: db, report: r}
	if !d.checkServer(ctx) || hasMigrations && !d.checkMigrations(ctx) {
		return
	}
	d.checkRights(ctx)
	d.checkInserting(ctx)
	d.checkWindows(ctx)
	d.checkLostRecords(ctx)
	d.checkLimits(ctx)
	d.checkParts(ctx)
	d.checkDisks(ctx)
}

const serverCheck = "clickhouse"

// inspection is one run of the checks on one server.
type inspection struct {
	config Config
	db     *sql.DB
	report *doctor.Report
}

func (d *inspection) checkServer(ctx context.Context) (reached bool) {
	var version string
	var micros int64
	// The first query also connects, so that the time of the second one does not include connecting.
	if err := d.db.QueryRowContext(ctx, "SELECT version()").Scan(&version); err != nil {
		change := remedy(err)
		if change == "" {
			change = "check --clickhouse and that the server runs"
		}
		d.report.Fail(serverCheck, change, "%s does not answer: %v", d.config.ClickHouse, err)
		return false
	}
	sent := time.Now()
	if err := d.db.QueryRowContext(ctx, "SELECT toUnixTimestamp64Micro(now64(6))").Scan(&micros); err != nil {
		d.report.Fail(serverCheck, remedy(err), "%v", err)
		return false
	}
	received := time.Now()
	d.checkVersion(version)
	if !d.config.Password.IsZero() && d.config.TLS.Exposed(d.config.ClickHouse) {
		d.report.Warn(
			serverCheck,
			"set --clickhouse-tls",
			"the password is sent to %s without TLS",
			d.config.ClickHouse,
		)
	}
	d.report.Clock("clickhouse clock", "ClickHouse", time.UnixMicro(micros), sent, received)
	return true
}

func (d *inspection) checkVersion(version string) {
	var is [2]int
	_, err := fmt.Sscanf(version, "%d.%d", &is[0], &is[1])
	how := "without TLS"
	if d.config.TLS.On {
		how = "with TLS"
	}
	if err == nil && (is[0] < testedVersion[0] || is[0] == testedVersion[0] && is[1] < testedVersion[1]) {
		d.report.Warn(
			serverCheck,
			"upgrade it",
			"%s is ClickHouse %s, and Millrace is tested with %d.%d",
			d.config.ClickHouse,
			version,
			testedVersion[0],
			testedVersion[1],
		)
		return
	}
	d.report.OK(
		serverCheck,
		"%s is ClickHouse %s, connected %s as %s",
		d.config.ClickHouse,
		version,
		how,
		d.config.User,
	)
}

// checkMigrations compares the applied migrations with those of this program. It returns false if there are no tables.
func (d *inspection) checkMigrations(ctx context.Context) (found bool) {
	check := "database " + d.config.local()
	applied, err := d.applied(ctx)
	if err != nil {
		switch codeOf(err) {
		case proto.ErrUnknownDatabase, proto.ErrUnknownTable:
			d.report.Fail(
				check,
				"run millrace migrate, or name another database with --database",
				"has none of Millrace's tables",
			)
		case proto.ErrAccessDenied:
			d.report.Fail(
				check,
				"GRANT SELECT, INSERT ON "+d.config.local()+".* TO "+d.config.User,
				"cannot be read: %v",
				err,
			)
		default:
			d.report.Fail(check, remedy(err), "%v", err)
		}
		return false
	}
	db, provider, err := d.config.migrations()
	if err != nil {
		d.report.Fail(check, "", "%v", err)
		return false
	}
	defer db.Close()
	var missing []string
	for _, source := range provider.ListSources() {
		if !applied[source.Version] {
			missing = append(missing, source.Path)
		}
		delete(applied, source.Version)
	}
	delete(applied, 0) // goose's own first row
	switch {
	case len(missing) > 0:
		d.report.Fail(check, "run millrace migrate", "migrations are missing: %s", strings.Join(missing, ", "))
	case len(applied) > 0:
		d.report.Warn(
			check,
			"use the newer version of Millrace everywhere",
			"has %s that this version of Millrace does not know",
			doctor.Some(len(applied), "migration"),
		)
	default:
		d.report.OK(check, "is up to date")
	}
	return true
}

func (d *inspection) applied(ctx context.Context) (map[int64]bool, error) {
	rows, err := d.db.QueryContext(
		ctx,
		"SELECT version_id FROM `"+d.config.local()+"`.goose_db_version GROUP BY version_id HAVING argMax(is_applied, tstamp)",
	)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	applied := map[int64]bool{}
	for rows.Next() {
		var version int64
		if err := rows.Scan(&version); err != nil {
			return nil, err
		}
		applied[version] = true
	}
	return applied, rows.Err()
}

// checkInserting runs a query with the settings of an insert and the external table of a look-up. It inserts nothing.
func (d *inspection) checkInserting(ctx context.Context) {
	const check = "clickhouse settings"
	p := newPool(&d.config, &replicas{addrs: []string{d.config.ClickHouse}}, 1)
	defer p.close()
	var wanted, count proto.ColUInt64
	wanted.Append(1)
	_, err := p.do(ctx, ch.Query{
		Body:           "SELECT count() AS n FROM wanted",
		Settings:       insertSettings("doctor"),
		ExternalTables: []ch.ExternalTable{{Name: "wanted", Data: []proto.InputColumn{{Name: "n", Data: &wanted}}}},
		Result:         proto.Results{{Name: "n", Data: &count}},
	})
	if err != nil {
		d.report.Fail(check, "let the profile of "+d.config.User+" change the settings of inserts", "%v", err)
		return
	}
	d.report.OK(check, "inserts and look-ups may use their settings")
}
