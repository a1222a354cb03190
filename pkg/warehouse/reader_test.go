package warehouse

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/test/env"
)

func reading(t testing.TB, config Config) *Reader {
	t.Helper()
	r, err := OpenReader(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// hostile are values that somebody might send to become more than a value, or that are easily mangled.
var hostile = []string{
	"", "shop", "'", "''", `\`, `\'`, `\\'`, `'; DROP TABLE events; --`, `' OR 1 = 1 --`, `\x27`, `\N`, "NULL", "{a:String}", "{b:Int32}",
	"line\nfeed", "car\rriage\ttab\x00nul\x1b[31m", "“naïve” 東京 🙂", "\u202Eright to left", "\xff\xfe broken", "a\u00a0b\ufffd",
	"$(touch /tmp/owned)", "`id`", `"; id; "`, "$HOME", "!!", "%s ? ?? @a :b", "/* */ -- #", "$tag$ 'x' $tag$",
}

// asked is a value as ClickHouse had it, in the three ways that a parameter can be written.
type asked struct {
	Text  string `ch:"text"`
	Item  string `ch:"item"`
	Known uint8  `ch:"known"`
}

const askedQuery = `SELECT hex({value:String}) AS text, hex({list:Array(Tuple(String, DateTime64(3, 'UTC')))}[2].1) AS item,
	({value:String}, {at:DateTime64(3, 'UTC')}, {n:Int64}) IN [({value:String}, toDateTime64('1969-12-31 23:59:59.999', 3, 'UTC'), -5)] AS known`

func TestSelect_HostileParameter_StaysValue(t *testing.T) {
	db := env.ClickHouse(t)
	r := reading(t, configFor(db))
	for _, value := range hostile {
		p := map[string]string{
			"value": value, "at": "1969-12-31 23:59:59.999", "n": "-5",
			"list": "[('','2026-01-01 00:00:00.000'),(" + Quote(value) + ",'2026-01-01 00:00:00.000')]",
		}
		rows, err := Select[asked](t.Context(), r, askedQuery, p)
		require.NoError(t, err, "%q", value)
		hex := fmt.Sprintf("%X", value)
		require.Equal(t, []asked{{hex, hex, 1}}, rows, "%q", value)

		filled := InlineParameters(askedQuery, p)
		require.Equal(t, hex+"\t"+hex+"\t1", db.Exec(t, filled), filled)
		said, err := exec.CommandContext(t.Context(), "sh", "-c", `printf %s "`+filled+`"`).Output()
		require.NoError(t, err)
		require.Equal(t, filled, string(said), "a shell has nothing to do in it")
	}
}

func TestInlineParameters(t *testing.T) {
	p := map[string]string{"product": "o'shop", "at": "2026-05-18 12:00:00.000", "n": "30", "odd": "1); DROP", "list": "[1]"}
	require.Equal(t, `WHERE product_id = 'o\x27shop' AND at < toDateTime64('2026-05-18 12:00:00.000', 3, 'UTC') AND n = 30 AND m = CAST('1); DROP', 'UInt8') AND k IN CAST('[1]', 'Array(DateTime(\x27UTC\x27))') AND {missing:String}`,
		InlineParameters(`WHERE product_id = {product:String} AND at < {at:DateTime64(3, 'UTC')} AND n = {n:UInt32} AND m = {odd:UInt8} AND k IN {list:Array(DateTime('UTC'))} AND {missing:String}`, p))
}

func TestReader_LongQuery_IsBounded(t *testing.T) {
	db, config := migrated(t)
	r := reading(t, config)
	type settings struct {
		Readonly uint64  `ch:"readonly"`
		Seconds  float64 `ch:"seconds"`
		Rows     uint64  `ch:"rows"`
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // of which clickhouse-go would make 65 seconds
	defer cancel()
	rows, err := Select[settings](ctx, r, "SELECT toUInt64(getSetting('readonly')) AS readonly, toFloat64(getSetting('max_execution_time')) AS seconds, toUInt64(getSetting('max_result_rows')) AS rows", nil)
	require.NoError(t, err)
	require.Equal(t, []settings{{2, readSeconds, readRows}}, rows)

	type n struct {
		N uint64 `ch:"n"`
	}
	_, err = Select[n](ctx, r, "INSERT INTO products (workspace_id, product_id) VALUES ('w', 'p')", nil)
	require.Equal(t, proto.ErrReadonly, codeOf(err))
	require.Equal(t, "0", db.Exec(t, "SELECT count() FROM products"))
	_, err = Select[n](ctx, r, "SELECT number AS n FROM numbers({n:UInt32})", map[string]string{"n": fmt.Sprint(readRows + 1)})
	require.ErrorContains(t, err, "query less")
	some, err := Select[n](ctx, r, "SELECT number AS n FROM numbers({n:UInt32})", map[string]string{"n": fmt.Sprint(readRows)})
	require.NoError(t, err, "the control")
	require.Len(t, some, readRows)
	_, err = Select[n](ctx, r, "SELECT {n:UInt32}", nil)
	require.ErrorContains(t, err, "`n`", "a parameter that is missing")
}

func TestSelect_CancelledContext_EndsQuery(t *testing.T) {
	db := env.ClickHouse(t)
	r := reading(t, configFor(db))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := Select[asked](ctx, r, "SELECT sleepEachRow(0.1) FROM numbers(90) SETTINGS max_block_size = 1", nil)
		ended <- err
	}()
	running := func(n string) func() bool {
		return func() bool {
			return db.Exec(t, "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleepEachRow%' AND current_database = '"+db.Name+"'") == n
		}
	}
	require.Eventually(t, running("1"), 5*time.Second, 5*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Eventually(t, running("0"), 5*time.Second, 5*time.Millisecond)
}

func TestReader_Errors_NameRemedy(t *testing.T) {
	_, config := migrated(t)
	says := func(change func(*Config), what string) {
		t.Helper()
		c := config
		change(&c)
		_, err := Select[asked](t.Context(), reading(t, c), "SELECT 1 FROM outcomes", nil)
		require.ErrorContains(t, err, what)
	}
	says(func(c *Config) { c.ClickHouse = "127.0.0.1:1" }, "check --clickhouse and that the server runs")
	says(func(c *Config) { c.User = "stranger" }, "check --clickhouse-user and --clickhouse-password")
	says(func(c *Config) { c.Database = "nowhere" }, "run millrace migrate")
	says(func(c *Config) { c.Database = "default" }, "run millrace migrate")
	r := reading(t, config)
	require.ErrorContains(t, r.explain(clickhouse.ErrAcquireConnTimeout), "all 4 connections for queries are in use")

	config.Password.PasswordFile = "/nowhere"
	_, err := OpenReader(config)
	require.ErrorContains(t, err, "/nowhere")
	config.Database = "no name"
	_, err = OpenReader(config)
	require.ErrorContains(t, err, "--database")
}
