package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/test/env"
)

// diagnosis is what the doctor says to programs.
type diagnosis struct {
	Status string `json:"status"`
	Checks []struct {
		Check, Status, Found, Change string
	} `json:"checks"`
}

func diagnose(t *testing.T, env []string, args ...string) (d diagnosis, complaint string, err error) {
	t.Helper()
	out, errs, err := run(t, env, "millrace", append([]string{"doctor", "--output", "json"}, args...)...)
	require.NoError(t, json.Unmarshal([]byte(out), &d), "%s%s", out, errs)
	return d, errs, err
}

// requireLine looks for a line of the diagnosis.
func (d diagnosis) requireLine(t *testing.T, check, status, found, change string) {
	t.Helper()
	for _, c := range d.Checks {
		if c.Check == check && c.Status == status && strings.Contains(c.Found, found) && strings.Contains(c.Change, change) {
			return
		}
	}
	require.Fail(t, "no such line", "%s %s: %s: %s in %v", status, check, found, change, d)
}

func TestDoctor_HealthySystem_Passes(t *testing.T) {
	u := startUp(t, t.TempDir())
	d, errs, err := diagnose(t, nil, "--data", u.data)
	require.NoError(t, err, "%v %s", d, errs)
	for check, found := range map[string]string{
		"token key":                  "has the right shape",
		"kafka brokers":              "1, of which 1 answer (a Kafka ",
		"kafka access":               "without TLS, without a login",
		"topic millrace.ingest":      "8 partitions, 1 replica of which 1 must be in sync, kept for 168h0m0s",
		"topic millrace.connections": "1 partition, 1 replica of which 1 must be in sync, compacted",
		"group millrace-loader":      "1 loader, and no message waits",
		"clickhouse":                 "is ClickHouse",
		"database millrace":          "is up to date",
		"clickhouse rights":          "may read, write and migrate",
		"table events":               "block deduplication is on",
		"redis":                      "stores proofs",
		"redis clock":                "Redis's clock is",
	} {
		d.requireLine(t, check, "ok", found, "")
	}
	d.requireLine(t, "topic millrace.dead-letters", "ok", "kept for 168h0m0s", "")
	d.requireLine(t, "clickhouse limits", "ok", "no limit that is too low", "")
	text, errs, err := run(t, nil, "millrace", "doctor", "--data", u.data)
	require.NoError(t, err, errs)
	require.Contains(t, text, "\nok    database millrace            is up to date\n")
	const other = "127.0.0.1:1" // the doctor checks this server, not that of "up"
	for _, env := range [][]string{nil, {"MILLRACE_CLICKHOUSE=" + other}} {
		args := []string{"--data", u.data}
		if env == nil {
			args = append(args, "--clickhouse", other)
		}
		d, _, err = diagnose(t, env, args...)
		require.Error(t, err)
		d.requireLine(t, "clickhouse", "fail", other+" does not answer", "check --clickhouse")
		d.requireLine(t, "kafka brokers", "ok", "1, of which 1 answer", "")
	}
	require.NoError(t, u.stop())
	_, errs, err = run(t, nil, "millrace", "doctor", "--data", u.data)
	require.Error(t, err)
	require.Contains(t, errs, "millrace up", "the error says what to do")
}

func TestDoctor_Faults_AreReported(t *testing.T) {
	env.KfakeOnly(t)
	broker, db := env.Broker(t), env.ClickHouse(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr()))
	require.NoError(t, err)
	defer client.Close()
	policy := "compact"
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), 2, -1, map[string]*string{"cleanup.policy": &policy}, "millrace.ingest")
	require.NoError(t, err)
	address := []string{"--brokers", broker.Addr(), "--clickhouse", db.Addr(), "--database", db.Name}
	d, errs, err := diagnose(t, []string{"MILLRACE_REDIS=redis://:canary@127.0.0.1:1"}, address...)
	require.Error(t, err)
	require.Equal(t, "fail", d.Status)
	require.Contains(t, errs, " checks failed\n")
	require.NotContains(t, errs, "canary")
	d.requireLine(t, "token key", "fail", "the key is empty", "MILLRACE_TOKEN_KEY")
	d.requireLine(t, "topic millrace.ingest", "fail", "has cleanup.policy=compact, which forgets messages", "kafka-configs.sh --alter --topic millrace.ingest --add-config cleanup.policy=delete")
	d.requireLine(t, "topic millrace.dead-letters", "warn", "there is none", "start an edge or a loader")
	d.requireLine(t, "group millrace-loader", "warn", "has no loader", "start a loader")
	d.requireLine(t, "database "+db.Name, "fail", "has none of Millrace's tables", "run millrace migrate")
	d.requireLine(t, "redis", "fail", "127.0.0.1:1", "start it")

	d, _, err = diagnose(t, []string{tokenKey}, "--brokers", "127.0.0.1:1", "--clickhouse", "127.0.0.1:1", "--kafka-user", "u")
	require.Error(t, err)
	d.requireLine(t, "token key", "warn", "does not look as if it had been made at random", "openssl rand -base64 32")
	d.requireLine(t, "kafka brokers", "fail", "--kafka-user and --kafka-password are of no use without --kafka-sasl", "correct that flag")
	d.requireLine(t, "clickhouse", "fail", "127.0.0.1:1 does not answer", "check --clickhouse")
}

// The whole way with TLS and a login, told by variables and a file, and with debug logs, which must not have the password.
func TestEdgeAndLoader_BrokersWithSASLAndTLS(t *testing.T) {
	env.KfakeOnly(t)
	broker, db := env.SecuredBroker(t), env.ClickHouse(t)
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(broker.Password+"\n"), 0o600))
	for name, value := range map[string]string{
		"BROKERS": broker.Addr, "KAFKA_TLS": "true", "KAFKA_TLS_CA": broker.CA, "KAFKA_SASL": "SCRAM-SHA-512", "KAFKA_USER": broker.User,
		"KAFKA_PASSWORD_FILE": file, "CLICKHOUSE": db.Addr(), "DATABASE": db.Name, "LOG_LEVEL": "debug", "TOPIC_PREFIX": "secured",
	} {
		t.Setenv("MILLRACE_"+name, value)
	}
	_, errs, err := run(t, nil, "millrace", "migrate")
	require.NoError(t, err, errs)
	edge := startServer(t, "edge", "--http", "127.0.0.1:0")
	loader := startServer(t, "loader")
	edge.awaitReady()
	loader.awaitReady()
	made := admin(t, broker.Addr, "create", "--product", "p", "--public-url", edge.http)
	status, _ := post(t, made.URL, sample)
	require.Equal(t, 200, status)
	require.Eventually(t, func() bool { return db.Exec(t, "SELECT message_id FROM outcomes FORMAT TSV") == "msg_test_001" }, patience, poll)
	d, errs, err := diagnose(t, []string{tokenKey})
	require.NoError(t, err, errs)
	d.requireLine(t, "kafka access", "ok", "with TLS 1.3, logged in with SCRAM-SHA-512 as "+broker.User, "")
	d.requireLine(t, "group millrace-loader", "ok", "1 loader, and ", "")
	for _, s := range []*server{edge, loader} {
		require.NoError(t, s.stop())
		require.Contains(t, s.output.String(), "level=DEBUG", "the control")
		require.NotContains(t, s.output.String(), broker.Password)
	}
}

func TestConfig_Invalid_IsRefusedInOneSentence(t *testing.T) {
	env.KfakeOnly(t)
	for _, c := range []struct{ program, flag, want string }{
		{"edge", "--kafka-tls-cert=c", "--kafka-tls-cert is of no use without TLS: set --kafka-tls too"},
		{"edge", "--redis=canary", "--redis is not of the form redis://user:password@host:port/database"},
		{"edge", "--redis-password=canary", "--redis-… flags are set without --redis: set --redis"},
		{"loader", "--kafka-password-file=/nowhere", "--kafka-password-file: the password cannot be read: open /nowhere: no such file or directory"},
		{"loader", "--kafka-password=canary", "--kafka-user and --kafka-password are of no use without --kafka-sasl: set it to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"},
		{"loader", "--clickhouse-tls-ca=c", "--clickhouse-tls-ca is of no use without TLS: set --clickhouse-tls too"},
		{"millrace migrate", "--clickhouse-replicated", "--clickhouse-replicated needs --clickhouse-cluster"},
		{"millrace up --data " + t.TempDir(), "--clickhouse-cluster=c", "--clickhouse-cluster is of no use here: \"up\" runs one ClickHouse of its own"},
		{"millrace migrate", "--clickhouse-password-file=/nowhere", "--clickhouse-password-file: the password cannot be read: open /nowhere: no such file or directory"},
	} {
		words := strings.Fields(c.program)
		args := append(words[1:], c.flag)
		if words[0] != "millrace" {
			args = append(args, "--brokers", "127.0.0.1:1", "--dry-run")
		}
		_, errs, err := run(t, []string{tokenKey}, words[0], args...)
		require.Error(t, err)
		require.Contains(t, errs, c.want)
		require.NotContains(t, errs, "canary")
		require.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}

func TestSQL_ClickHouseWithTLS(t *testing.T) {
	env.KfakeOnly(t)
	db, authority := env.ClickHouse(t), env.Authority(t)
	t.Setenv("MILLRACE_CLICKHOUSE_URL", "https://"+env.Front(t, authority, strings.TrimPrefix(db.HTTPURL(), "http://")))
	ask := func(flags ...string) (string, string, error) {
		return run(t, nil, "millrace", append([]string{"sql", "--database", db.Name, "--format", "TSV", "SELECT currentUser()"}, flags...)...)
	}
	out, errs, err := ask("--clickhouse-tls-ca", authority.File)
	require.NoError(t, err, errs)
	require.Equal(t, "default\n", out)
	_, errs, err = ask()
	require.Error(t, err)
	require.Contains(t, errs, "certificate signed by unknown authority")
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("canary"), 0o600))
	_, errs, err = ask("--clickhouse-tls-ca", authority.File, "--clickhouse-user", "stranger", "--clickhouse-password-file", file)
	require.Error(t, err)
	require.Contains(t, errs, "stranger: Authentication failed")
	require.NotContains(t, errs, "canary")
}
