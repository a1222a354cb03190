package warehouse

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/credential"
	"github.com/millrace/millrace/pkg/doctor"
	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/test/env"
	"github.com/millrace/millrace/test/env/doctortest"
)

func examine(t *testing.T, config Config) doctor.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var r doctor.Report
	Diagnose(ctx, config, &r)
	return r
}

func TestDiagnose_HealthyServer_ReportsOK(t *testing.T) {
	_, config := migrated(t)
	r := examine(t, config)
	require.Zero(t, r.Count(doctor.Fail), r)
	for check, found := range map[string]string{
		"clickhouse":                  "is ClickHouse 2",
		"clickhouse clock":            "ClickHouse's clock is ",
		"database " + config.Database: "is up to date",
		"clickhouse rights":           "default may read, write and migrate",
		"clickhouse settings":         "may use their settings",
		"table events":                "non_replicated_deduplication_window = 10000",
		"table dead_letters":          "non_replicated_deduplication_window = 10000",
		"clickhouse limits":           "no limit that is too low",
		"clickhouse parts":            "merges keep up",
	} {
		doctortest.Require(t, r, check, doctor.OK, found, "")
	}
	require.True(t, r.Has("clickhouse disks"))
}

func TestDiagnose_DamagedTables_ReportsRemedies(t *testing.T) {
	db, config := migrated(t)
	database := "database " + config.Database
	db.Exec(t, "ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 0")
	db.Exec(t, "ALTER TABLE dead_letters MODIFY SETTING non_replicated_deduplication_window = 100")
	r := examine(t, config)
	doctortest.Require(t, r, "table events", doctor.Fail, "rows of a block that is retried after a crash count twice", "ALTER TABLE "+db.Name+".events MODIFY SETTING non_replicated_deduplication_window = 10000")
	doctortest.Require(t, r, "table dead_letters", doctor.Warn, "non_replicated_deduplication_window = 100:", "MODIFY SETTING non_replicated_deduplication_window = 10000")

	db.Exec(t, "DROP TABLE dead_letters")
	doctortest.Require(t, examine(t, config), "table dead_letters", doctor.Fail, "cannot be read", "run millrace migrate")
	db.Exec(t, "CREATE TABLE dead_letters (a Int8) ENGINE = Memory")
	doctortest.Require(t, examine(t, config), "table dead_letters", doctor.Fail, "has the engine Memory", "")

	db.Exec(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	doctortest.Require(t, examine(t, config), database, doctor.Warn, "has 1 migration that this version of Millrace does not know", "newer version")
	db.Exec(t, "ALTER TABLE goose_db_version DELETE WHERE version_id = 3 SETTINGS mutations_sync = 1")
	doctortest.Require(t, examine(t, config), database, doctor.Fail, "migrations are missing: 00003_outcomes.sql", "run millrace migrate")
	db.Exec(t, "DROP TABLE goose_db_version")
	doctortest.Require(t, examine(t, config), database, doctor.Fail, "has none of Millrace's tables", "run millrace migrate")
	config.Database = "nowhere"
	doctortest.Require(t, examine(t, config), "database nowhere", doctor.Fail, "has none of Millrace's tables", "run millrace migrate")
}

func TestDiagnose_TooManyParts_FailsWhileInsertsAreRefused(t *testing.T) {
	for setting, found := range map[string]string{
		"parts_to_throw_insert": "has 2 parts in a month: inserts are refused from 2 on",
		"max_parts_in_total":    "has 2 parts: inserts are refused from 2 on",
	} {
		db, config := migrated(t)
		db.Exec(t, "SYSTEM STOP MERGES products")
		for _, product := range []string{"a", "b"} {
			db.Exec(t, "INSERT INTO products (workspace_id, product_id) VALUES ('w', '"+product+"')")
		}
		doctortest.Require(t, examine(t, config), "clickhouse parts", doctor.OK, "merges keep up", "")
		db.Exec(t, "ALTER TABLE products MODIFY SETTING "+setting+" = 2")
		doctortest.Require(t, examine(t, config), "clickhouse parts", doctor.Fail, found, "larger blocks")
	}
}

func TestDiagnose_UnreachableServer_Fails(t *testing.T) {
	config := configFor(env.ClickHouse(t))
	config.User = "stranger"
	doctortest.Require(t, examine(t, config), "clickhouse", doctor.Fail, "does not answer", "check --clickhouse-user and --clickhouse-password")
	config.ClickHouse = "127.0.0.1:1"
	doctortest.Require(t, examine(t, config), "clickhouse", doctor.Fail, "127.0.0.1:1 does not answer", "check --clickhouse and that the server runs")
	config.TLS.CA = "/nowhere"
	doctortest.Require(t, examine(t, config), "clickhouse", doctor.Fail, "--clickhouse-tls-ca is of no use without TLS", "correct that flag")
}

// users are people whom an administrator has given too little, each in another way.
const users = `<clickhouse>
	<profiles>
		<default/>
		<readonly><readonly>1</readonly></readonly>
		<hurried><max_execution_time>5</max_execution_time></hurried>
		<bound><constraints><optimize_on_insert><readonly/></optimize_on_insert></constraints></bound>
	</profiles>
	<quotas><default/></quotas>
	<users>
		<default><password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default>
		<reader><password>let me in</password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota><grants><query>GRANT SELECT ON *.*</query></grants></reader>
		<loader><password>let me in</password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota><grants><query>GRANT SELECT, INSERT ON *.*</query></grants></loader>
		<nobody><password>let me in</password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota><grants><query>GRANT SELECT ON system.one</query></grants></nobody>
		<readonly><password>let me in</password><networks><ip>::/0</ip></networks><profile>readonly</profile><quota>default</quota></readonly>
		<hurried><password>let me in</password><networks><ip>::/0</ip></networks><profile>hurried</profile><quota>default</quota></hurried>
		<bound><password>let me in</password><networks><ip>::/0</ip></networks><profile>bound</profile><quota>default</quota></bound>
	</users>
</clickhouse>`

// startWithUsers is an engine of the test's own, with our tables.
func startWithUsers(t *testing.T) Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "users.xml")
	require.NoError(t, os.WriteFile(file, []byte(users), 0o600))
	engine, err := embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{
		Dir: t.TempDir(), Engine: env.Engine(t),
		ExtraConfig: fmt.Sprintf("<users_config>%s</users_config>", file),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close(context.Background())) })
	config := configFor(env.Database{ClickHouse: engine, Name: "millrace"})
	_, err = Migrate(t.Context(), config)
	require.NoError(t, err)
	return config
}

func TestDiagnose_MissingRights_ReportsGrants(t *testing.T) {
	config := startWithUsers(t)
	as := func(user string) doctor.Report {
		config.User, config.Password.Password = user, "let me in"
		return examine(t, config)
	}
	doctortest.Require(t, as("reader"), "clickhouse rights", doctor.Fail, "reader may not read and write events", "GRANT SELECT, INSERT ON millrace.* TO reader")
	doctortest.Require(t, as("loader"), "clickhouse rights", doctor.OK, "loader may read and write but not migrate", "")
	require.Zero(t, len(as("loader"))-countOK(as("loader")), "the control: that is enough")
	doctortest.Require(t, as("nobody"), "database millrace", doctor.Fail, "cannot be read", "GRANT SELECT, INSERT ON millrace.* TO nobody")
	doctortest.Require(t, as("readonly"), "clickhouse rights", doctor.Fail, "has readonly set", "a profile with readonly = 0")
	doctortest.Require(t, as("readonly"), "clickhouse settings", doctor.Fail, "", "let the profile of readonly change the settings")
	doctortest.Require(t, as("bound"), "clickhouse settings", doctor.Fail, "optimize_on_insert", "let the profile of bound change the settings")
	doctortest.Require(t, as("hurried"), "clickhouse limits", doctor.Warn, "max_execution_time is 5", "set it to 0 or at least 60")

	reads := func(user string) error {
		config.User = user
		_, err := Select[asked](t.Context(), reading(t, config), "SELECT event_type AS text FROM outcomes", nil)
		return err
	}
	require.NoError(t, reads("reader"))
	require.ErrorContains(t, reads("nobody"), "GRANT SELECT ON millrace.* TO nobody")
	require.ErrorContains(t, reads("readonly"), "let the profile of readonly set readonly to 2")
}

func countOK(r doctor.Report) int { return r.Count(doctor.OK) }

// The engine that tests have speaks no TLS, so something in front of it does; the password comes from a file.
func TestConnections_TLSAndPasswordFile_Work(t *testing.T) {
	config := startWithUsers(t)
	a := env.Authority(t)
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("let me in\n"), 0o600))
	config.ClickHouse, config.User, config.Password = env.Front(t, a, config.ClickHouse), "loader", credential.Password{PasswordFile: file}
	config.TLS = credential.TLS{On: true, CA: a.File}
	b := NewEvents()
	b.Append(&plain, &origin)
	insert(t, config, b, "t")
	doctortest.Require(t, examine(t, config), "clickhouse", doctor.OK, "connected with TLS as loader", "")

	ask := func(r *Reader) error {
		_, err := Select[asked](t.Context(), r, "SELECT event_type AS text FROM outcomes", nil)
		return err
	}
	reader := reading(t, config)
	require.NoError(t, os.WriteFile(file, []byte("old\n"), 0o600))
	require.ErrorContains(t, ask(reader), "check --clickhouse-user and --clickhouse-password")
	require.NoError(t, os.WriteFile(file, []byte("let me in\n"), 0o600))
	require.NoError(t, ask(reader), "the file is read for each connection")

	config.TLS = credential.TLS{On: true}
	require.ErrorContains(t, ask(reading(t, config)), "--clickhouse-tls-ca")
	inserter, err := NewInserter(config)
	require.NoError(t, err)
	defer inserter.Close()
	require.ErrorContains(t, inserter.Insert(t.Context(), b, "t"), "--clickhouse-tls-ca")
	doctortest.Require(t, examine(t, config), "clickhouse", doctor.Fail, "does not answer", "--clickhouse-tls-ca")
	require.NoError(t, os.WriteFile(file, []byte("canary\n"), 0o600))
	config.TLS.CA = a.File
	other, err := NewInserter(config)
	require.NoError(t, err)
	defer other.Close()
	err = other.Insert(t.Context(), b, "t")
	require.ErrorContains(t, err, "check --clickhouse-user and --clickhouse-password")
	require.NotContains(t, err.Error(), "canary")
}
