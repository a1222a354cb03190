package warehouse

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/doctor"
	"github.com/millrace/millrace/schemas"
	"github.com/millrace/millrace/test/env"
	"github.com/millrace/millrace/test/env/doctortest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile("testdata/"+name, []byte(text), 0o644))
	}
	want, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	require.Equal(t, string(want), text, "run the test with -update")
}

// sharded is a database of the test's own on two servers, with all tables in it.
func sharded(t testing.TB, cluster string) ([2]env.Database, Config) {
	t.Helper()
	shards := env.Shards(t)
	config := configFor(shards[0])
	config.Cluster = cluster
	_, err := Migrate(t.Context(), config)
	require.NoError(t, err)
	return shards, config
}

// local runs a statement on both servers, in the database of the tables that hold rows.
func local(t testing.TB, shards [2]env.Database, statement string) (answers [2]string) {
	t.Helper()
	for i, db := range shards {
		db.Name += "_local"
		answers[i] = db.Exec(t, statement)
	}
	return answers
}

func TestMigrate_Cluster_MigratesEachShardOnce(t *testing.T) {
	shards, config := sharded(t, env.TwoShards)
	applied, err := Migrate(t.Context(), config)
	require.NoError(t, err)
	require.Empty(t, applied)
	_, plain := migrated(t)
	for i, db := range shards {
		ddl := db.Exec(t, "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY engine = 'View', name FORMAT TSVRaw")
		ddl = strings.ReplaceAll(ddl, config.Database, "millrace")
		golden(t, "distributed.sql", strings.ReplaceAll(ddl, fmt.Sprintf("SELECT %d AS shard", i+1), "SELECT N AS shard"))
	}
	const tables = "SELECT replaceAll(create_table_query, currentDatabase() || '.', '') FROM system.tables WHERE database = currentDatabase() AND name != 'goose_db_version' ORDER BY name FORMAT TSVRaw"
	one := env.Database{ClickHouse: env.ClickHouse(t).ClickHouse, Name: plain.Database}
	require.Equal(t, one.Exec(t, tables), local(t, shards, tables)[1], "what a shard has is what a server alone has")
}

// The engine that tests run on has no Keeper: what is for replicas is held here, and ClickHouse can read it at least.
func TestMigrate_Replicas_UseOnClusterAndReplicatedEngines(t *testing.T) {
	files, err := schemas.Migrations(schemas.For{Cluster: "analytics"})
	require.NoError(t, err)
	names, err := fs.Glob(files, "*.sql")
	require.NoError(t, err)
	db := env.ClickHouse(t)
	var all strings.Builder
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		require.NoError(t, err)
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		fmt.Fprintf(&all, "-- %s\n", name)
		for statement := range strings.SplitSeq(up, ";\n") {
			if strings.Contains(statement, "\nCREATE") || strings.Contains(statement, "\nALTER") || strings.Contains(statement, "\nINSERT") {
				formatted := db.Exec(t, "SELECT formatQuery($sql$"+statement+"$sql$) FORMAT TSVRaw")
				fmt.Fprintf(&all, "%s;\n", formatted)
				require.Equal(t, !strings.HasPrefix(formatted, "INSERT"), strings.Contains(formatted, "ON CLUSTER analytics"), formatted)
				require.Equal(t, strings.Contains(formatted, "MergeTree"), strings.Contains(formatted, "ENGINE = Replicated"), formatted)
			}
		}
	}
	golden(t, "replicated.sql", all.String())

	config := configFor(db)
	require.Empty(t, config.syncQueries(), "one server has no others")
	config.Cluster, config.Replicated = "analytics", true
	queries := config.syncQueries()
	require.Len(t, queries, len(shardKeys))
	for _, query := range queries {
		require.Equal(t, query, db.Exec(t, "SELECT formatQuerySingleLine('"+query+"')"))
	}
	options, err := config.options("")
	require.NoError(t, err)
	require.Equal(t, db.Name+"_local", options.Database)
	for _, s := range options.Settings {
		db.Exec(t, fmt.Sprintf("SELECT 1 SETTINGS %s = '%s'", s.Key, s.Value))
	}
	l, err := NewLookup(config)
	require.NoError(t, err)
	require.Equal(t, "clusterAllReplicas('analytics', system.processes)", l.processes())
}

// Each product's rows are in the shard where ClickHouse itself would put them, whatever the shards weigh.
func TestInsert_Cluster_UsesShardsOfDistributed(t *testing.T) {
	shards, config := sharded(t, env.Uneven)
	b := NewEvents()
	for i := range 60 {
		e, o := full, origin
		e.InsertID = fmt.Appendf(nil, "api:%d", i)
		o.Product, o.Offset = fmt.Appendf(nil, "product %d", i%30), int64(i)
		b.Append(&e, &o)
	}
	insert(t, config, b, "t")
	insert(t, config, b, "t") // recognised in both
	require.Equal(t, "60\t60", shards[1].Exec(t, "SELECT count(), uniqExact(insert_id) FROM events"))
	shards[0].Exec(t, "INSERT INTO events SELECT * REPLACE (insert_id || '-again' AS insert_id) FROM events")
	shards[0].Exec(t, "SYSTEM FLUSH DISTRIBUTED events")
	require.Equal(t, "120\t30", shards[1].Exec(t, "SELECT count(), uniqExact(product_id, _shard_num) FROM events"))
	require.Equal(t, [2]string{"0\t11", "1\t19"}, local(t, shards, "SELECT any(least(xxHash64(product_id) % 3, 1)), uniqExact(product_id) FROM events"))

	for _, p := range b.self().split([]int{0, 1, 1}, 2) {
		require.Equal(t, []int{22, 38}[p.shard], p.Rows())
		require.True(t, slices.IsSorted(offsets(p)))
	}
}

func offsets(p *partBlock) (list []int64) {
	for row := range p.Rows() {
		list = append(list, p.Offset(row))
	}
	return list
}

// The answers are those of one server, before and after merges: FINAL and the views' joins see each row once.
func TestViews_Cluster_AnswerAsOneServer(t *testing.T) {
	shards, config := sharded(t, env.TwoShards)
	tables := []string{"events", "conversation_activity", "user_claims", "organization_claims"}
	for _, table := range tables {
		local(t, shards, "SYSTEM STOP MERGES "+table)
	}
	for _, statement := range append([]string{knownActivity, knownEvents, knownPeople, knownOrganization}, replaced...) {
		shards[0].Exec(t, statement)
		for _, table := range tables {
			shards[0].Exec(t, "SYSTEM FLUSH DISTRIBUTED "+table)
		}
	}
	require.Equal(t, "30\t10", shards[1].Exec(t, "SELECT count(), uniqExact(insert_id) FROM events"), "the control: replaced rows are there")
	require.NotContains(t, local(t, shards, "SELECT count() FROM events"), "0", "the control: in both shards")
	ask := func(when string) {
		for i, db := range shards {
			for _, q := range questions {
				require.Equal(t, strings.TrimPrefix(q.answer, "\n"), db.Exec(t, q.query), "%s %s, asked of shard %d", q.name, when, i+1)
			}
		}
	}
	ask("before merges")
	rows, err := Select[asked](t.Context(), reading(t, config), "SELECT toString(count()) AS text FROM outcomes", nil)
	require.NoError(t, err)
	require.Equal(t, []asked{{Text: "10"}}, rows, "a reader asks all shards")
	for _, table := range tables {
		local(t, shards, "SYSTEM START MERGES "+table)
		local(t, shards, "OPTIMIZE TABLE "+table+" FINAL")
	}
	ask("after merges")
}

// Other shards are refused; moving the rows, as docs/production.md has it, is what helps.
func TestCluster_ChangedShards_AreRefused(t *testing.T) {
	shards, config := sharded(t, env.OneShard)
	b := NewEvents()
	for i := range 20 {
		e, o := plain, origin
		e.InsertID, o.Product = fmt.Appendf(nil, "api:%d", i), fmt.Appendf(nil, "product %d", i)
		b.Append(&e, &o)
	}
	insert(t, config, b, "t")
	grown := config
	grown.Cluster = env.TwoShards
	_, err := Migrate(t.Context(), grown)
	require.ErrorContains(t, err, "the shards of the cluster have changed since rows were distributed over them: the rows at "+config.ClickHouse+" are of shard 1 with weights [1], "+
		"and in cluster two it is shard 1 with weights [1,1]")
	lookup, err := NewLookup(grown)
	require.NoError(t, err)
	require.True(t, ShardsChanged(lookup.FindShards(t.Context())))
	doctortest.Require(t, examine(t, grown), "cluster two of "+config.ClickHouse, doctor.Fail, "the shards of the cluster have changed", "docs/production.md")

	moved := env.Shards(t)
	grown.Database = moved[0].Name
	_, err = Migrate(t.Context(), grown)
	require.NoError(t, err)
	for table := range shardKeys {
		if table != "user_claims_by_email" { // which follows from user_claims
			moved[0].Exec(t, fmt.Sprintf("INSERT INTO %s.%s SELECT * FROM %s.%[2]s SETTINGS distributed_foreground_insert = 1", moved[0].Name, table, shards[0].Name))
		}
	}
	require.Equal(t, "20\t20", moved[1].Exec(t, "SELECT count(), uniqExact(insert_id) FROM events"))
	require.NotContains(t, local(t, moved, "SELECT count() FROM events"), "0")
}

func TestDiagnose_HealthyCluster_ReportsOK(t *testing.T) {
	shards, config := sharded(t, env.TwoShards)
	r := examine(t, config)
	require.Zero(t, r.Count(doctor.Fail), r)
	for i, db := range shards {
		of := " of " + db.Addr()
		doctortest.Require(t, r, "cluster two"+of, doctor.OK, fmt.Sprintf("is shard %d of 2", i+1), "")
		doctortest.Require(t, r, "database "+config.Database+"_local"+of, doctor.OK, "is up to date", "")
		doctortest.Require(t, r, "table events"+of, doctor.OK, "non_replicated_deduplication_window = 10000", "")
	}
	config.Cluster = "nowhere"
	doctortest.Require(t, examine(t, config), "cluster nowhere", doctor.Fail, "knows no cluster nowhere", "")
	config.Cluster, config.Database = env.TwoShards, "elsewhere"
	doctortest.Require(t, examine(t, config), "cluster two of "+config.ClickHouse, doctor.Fail, "has not been migrated for a cluster", "run millrace migrate")
}

func TestConfig_Cluster_IsValidated(t *testing.T) {
	_, config := migrated(t)
	config.Replicated = true
	require.ErrorContains(t, config.Validate(), "--clickhouse-cluster")
	config.Cluster = "a b"
	require.ErrorContains(t, config.Validate(), "--clickhouse-cluster")
	config.Cluster, config.Replicated = "two", false
	require.NoError(t, config.Validate())
	require.ErrorContains(t, config.checkShards([]shard{{addrs: []string{"a", "b"}, weight: 1}}), "--clickhouse-replicated")
	require.ErrorContains(t, config.checkShards([]shard{{addrs: []string{"a"}, weight: 0}}), "have weight 0")
}

// All connections use one replica. When it fails they go on to the next, and what one of them still says of the other does
// not count.
func TestPool_FailedReplica_SwitchesAllConnections(t *testing.T) {
	_, config := migrated(t)
	away, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, away.Close())
	r := &replicas{addrs: []string{away.Addr().String(), config.ClickHouse}}
	writing, reading := newPool(&config, r, 1), newPool(&config, r, 1)
	defer writing.close()
	defer reading.close()
	ask := func(p *pool, meanwhile func()) error {
		var one proto.ColUInt8
		_, err := p.do(t.Context(), ch.Query{Body: "SELECT 1 AS one", Result: proto.Results{{Name: "one", Data: &one}}, OnResult: func(context.Context, proto.Block) error { meanwhile(); return nil }})
		return err
	}
	nothing := func() {}
	require.NoError(t, ask(writing, nothing))
	require.Equal(t, int32(1), r.at.Load())
	require.NoError(t, ask(reading, nothing))

	c := <-reading.idle
	reading.idle <- c
	r.addrs[0] = config.ClickHouse // it is back, and somebody goes on to it
	r.at.Store(0)
	require.NoError(t, ask(reading, nothing))
	require.True(t, c.IsClosed(), "the connection to the one that is not used")

	require.ErrorIs(t, ask(reading, func() { r.at.Store(1) }), errMoved)
	require.NoError(t, ask(reading, nothing))
}
