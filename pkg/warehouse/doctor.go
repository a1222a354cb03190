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

// testedVersion is what Millrace's own tests run on.
var testedVersion = [2]int{26, 7}

// Diagnose looks at ClickHouse and at our tables in it, and changes nothing.
func Diagnose(ctx context.Context, config Config, r *doctor.Report) {
	if err := config.Validate(); err != nil {
		r.Fail(serverCheck, "correct that flag", "%v", err)
		return
	}
	if config.Cluster != "" {
		checkUpCluster(ctx, config, r)
		return
	}
	checkUpServer(ctx, config, r, true)
}

// checkUpServer looks at one server. Of a cluster's replicas, one alone knows which migrations they have had.
func checkUpServer(ctx context.Context, config Config, r *doctor.Report, knows bool) {
	// Of a deadline clickhouse-go makes a setting, max_execution_time, which is among those that are looked at.
	outer := ctx
	ctx, cancel := context.WithCancel(context.WithoutCancel(outer))
	defer cancel()
	defer context.AfterFunc(outer, cancel)()
	db, err := config.open("")
	if err != nil {
		r.Fail(serverCheck, "correct that flag", "%v", err)
		return
	}
	defer db.Close()
	d := &inspection{config: config, db: db, report: r}
	if !d.checkServer(ctx) || knows && !d.checkMigrations(ctx) {
		return
	}
	d.checkRights(ctx)
	d.checkInserting(ctx)
	d.checkWindows(ctx)
	d.checkLimits(ctx)
	d.checkParts(ctx)
	d.checkDisks(ctx)
}

const serverCheck = "clickhouse"

// doctor is one look at ClickHouse.
type inspection struct {
	config Config
	db     *sql.DB
	report *doctor.Report
}

func (d *inspection) checkServer(ctx context.Context) (reached bool) {
	var version string
	var micros int64
	// The first question also connects: the clock is asked for over a connection that is there.
	if err := d.db.QueryRowContext(ctx, "SELECT version()").Scan(&version); err != nil {
		change := remedy(err)
		if change == "" {
			change = "check --clickhouse, and that it runs"
		}
		d.report.Fail(serverCheck, change, "%s does not answer: %v", d.config.ClickHouse, err)
		return false
	}
	asked := time.Now()
	if err := d.db.QueryRowContext(ctx, "SELECT toUnixTimestamp64Micro(now64(6))").Scan(&micros); err != nil {
		d.report.Fail(serverCheck, remedy(err), "%v", err)
		return false
	}
	answered := time.Now()
	d.judgeVersion(version)
	if !d.config.Password.IsZero() && d.config.TLS.Exposed(d.config.ClickHouse) {
		d.report.Warn(serverCheck, "set --clickhouse-tls", "the password goes to %s without TLS", d.config.ClickHouse)
	}
	d.report.Clock("clickhouse clock", "ClickHouse", time.UnixMicro(micros), asked, answered)
	return true
}

func (d *inspection) judgeVersion(version string) {
	var is [2]int
	_, err := fmt.Sscanf(version, "%d.%d", &is[0], &is[1])
	how := "without TLS"
	if d.config.TLS.On {
		how = "with TLS"
	}
	if err == nil && (is[0] < testedVersion[0] || is[0] == testedVersion[0] && is[1] < testedVersion[1]) {
		d.report.Warn(serverCheck, "upgrade it", "%s is ClickHouse %s, and Millrace is tested with %d.%d", d.config.ClickHouse, version, testedVersion[0], testedVersion[1])
		return
	}
	d.report.OK(serverCheck, "%s is ClickHouse %s, spoken to %s as %s", d.config.ClickHouse, version, how, d.config.User)
}

// checkMigrations compares what the database has had with what there is. It reads goose's table itself, for goose would make
// it where it is missing.
func (d *inspection) checkMigrations(ctx context.Context) (there bool) {
	check := "database " + d.config.local()
	applied, err := d.applied(ctx)
	if err != nil {
		switch codeOf(err) {
		case proto.ErrUnknownDatabase, proto.ErrUnknownTable:
			d.report.Fail(check, "run millrace migrate, or name another with --database", "has none of our tables")
		case proto.ErrAccessDenied:
			d.report.Fail(check, "GRANT SELECT, INSERT ON "+d.config.local()+".* TO "+d.config.User, "cannot be read: %v", err)
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
		d.report.Fail(check, "run millrace migrate", "lacks migrations: %s", strings.Join(missing, ", "))
	case len(applied) > 0:
		d.report.Warn(check, "use that newer Millrace everywhere", "has had %s that this Millrace does not know", doctor.Some(len(applied), "migration"))
	default:
		d.report.OK(check, "is up to date")
	}
	return true
}

func (d *inspection) applied(ctx context.Context) (map[int64]bool, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT version_id FROM `"+d.config.local()+"`.goose_db_version GROUP BY version_id HAVING argMax(is_applied, tstamp)")
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

// checkInserting sends what an insert and a look-up send, the settings and a table of what is wanted, without inserting.
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
		d.report.Fail(check, "let the profile of "+d.config.User+" change the settings that inserts are sent with", "%v", err)
		return
	}
	d.report.OK(check, "inserts and look-ups may be sent as they are")
}
