package query

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/warehouse"
	"github.com/millrace/millrace/test/env"
)

func TestMain(m *testing.M) { env.Main(m) }

// odd is what a product may well be called by somebody who wants to see other products, or the server's shell.
const odd = "x' OR 1 = 1 -- \\\n\"$(id)`id`🙂"

// noon is when the tests ask, a second and a half before it.
var noon = time.Date(2026, 5, 18, 12, 0, 0, 0, time.UTC)

var asking = noon.Add(-1500 * time.Millisecond)

// The known data. Of the events, ka to kf are of the last 24 hours before noon.
var known = []string{
	`INSERT INTO events (workspace_id, product_id, connection_id, insert_id, message_type, event_type, influence, event_at, event_key_at, received_at,
		user_id, external_user_id, user_name, organization_id, external_organization_id, conversation_id, value, value_type, currency, kafka_topic, kafka_partition, kafka_offset, version)
	SELECT 'w', product, connection, id, 'track', type, influence, at, if(id = 'ke', toDateTime64(0, 3, 'UTC'), at), received,
		if(user = '', NULL, toUUID('00000000-0000-0000-0000-00000000000' || user)), nullIf(user, ''), if(user = 'a', 'Ada', NULL), if(user = 'a', toUUID('00000000-0000-0000-0000-00000000000e'), NULL), if(user = 'a', 'o', NULL), if(chat = '', NULL, toUUID('00000000-0000-0000-0000-0000000000' || chat)),
		toDecimal128OrNull(value, 18), value_type, currency, 'ingest', 3, rowNumberInAllBlocks(), 5
	FROM VALUES('product String, connection String, id String, type String, influence String, at DateTime64(3, ''UTC''), received DateTime64(3, ''UTC''), user String, chat String, value Nullable(String), value_type Nullable(String), currency String',
		('shop', 'one', 'ka', 'Page Viewed',     'neutral',  '2026-05-17 12:00:00.000', '2026-05-17 12:00:00.000', 'a', '',   NULL, NULL, ''),
		('shop', 'one', 'kb', 'Order Completed', 'positive', '2026-05-18 11:00:00.000', '2026-05-18 11:00:01.000', 'a', 'c1', '49', 'currency', 'USD'),
		('shop', 'one', 'kc', 'Order Completed', 'positive', '2026-05-18 11:09:59.999', '2026-05-18 11:59:01.000', 'a', 'c1', '0.100000000000000001', 'currency', 'USD'),
		('shop', 'two', 'kd', 'Order Completed', 'negative', '2026-05-18 11:10:00.000', '2026-05-18 11:59:02.000', 'b', 'c2', '-7.5', 'currency', 'EUR'),
		('shop', 'two', 'ke', 'Page Viewed',     'neutral',  '2026-05-18 11:58:00.000', '2026-05-18 11:58:00.000', '',  'c2', '5', 'numeric', ''),
		('app',  'two', 'kf', 'Page Viewed',     'positive', '2026-05-18 11:20:00.000', '2026-05-18 11:20:00.000', '',  '',   NULL, NULL, ''),
		('shop', 'one', 'before', 'Too Early',   'positive', '2026-05-17 11:59:59.999', '2026-05-17 11:50:00.000', '',  '',   '1', 'currency', 'USD'),
		('shop', 'one', 'after',  'Too Late',    'positive', '2026-05-18 12:00:00.000', '2026-05-18 11:59:03.000', '',  'c1', '1', 'currency', 'USD'))`,
	// Nine currencies, each with as many amounts as its number, but for A and B with two each; sums are greater than the stored type holds.
	`INSERT INTO events (workspace_id, product_id, connection_id, insert_id, message_type, event_type, influence, event_at, event_key_at, received_at, value, value_type, currency, version)
	SELECT 'w', 'many', 'three', 'm' || toString(c) || toString(n), 'track', 'Sold', 'positive', toDateTime64('2026-05-18 00:00:00', 3, 'UTC') AS at, at, at, toDecimal128('90000000000000000000', 18), 'currency', ['BB', 'AA', 'CC', 'DD', 'EE', 'FF', 'GG', 'HH', ''][c], 5
	FROM (SELECT arrayJoin(range(1, 10)) AS c, arrayJoin(range(1, 1 + if(c = 1, 2, c))) AS n)`,
	// 25 types that are neutral, and one of them once not.
	`INSERT INTO events (workspace_id, product_id, connection_id, insert_id, message_type, event_type, influence, event_at, event_key_at, received_at, version)
	SELECT 'w', 'types', 'three', 't' || toString(c) || '-' || toString(n), 'track', 'Type ' || toString(c), if(c = 25 AND n = 0, 'negative', 'neutral'), toDateTime64('2026-05-18 00:00:00', 3, 'UTC') AS at, at, at, 5
	FROM (SELECT arrayJoin(range(1, 26)) AS c, arrayJoin(range(c)) AS n)`,
	`INSERT INTO conversation_activity (workspace_id, product_id, external_conversation_id, conversation_id, activity_at, external_user_id, user_id, version) VALUES
		('w', 'shop', 'chat 1', '00000000-0000-0000-0000-0000000000c1', '2026-05-18 10:59:00.000', 'a', '00000000-0000-0000-0000-00000000000a', 5),
		('w', 'shop', 'chat 2', '00000000-0000-0000-0000-0000000000c2', '2026-05-18 11:05:00.000', 'b', '00000000-0000-0000-0000-00000000000b', 5),
		('w', 'shop', 'chat 3', '00000000-0000-0000-0000-0000000000c3', '2026-05-18 11:06:00.000', '', NULL, 5),
		('w', 'shop', 'chat 4', '00000000-0000-0000-0000-0000000000c4', '2026-05-17 11:59:59.999', '', NULL, 5),
		('w', 'shop', 'chat 5', '00000000-0000-0000-0000-0000000000c5', '2026-05-18 12:00:00.000', '', NULL, 5)`,
	`INSERT INTO user_claims (workspace_id, external_user_id, email, user_id, explicit_first, event_first, name_first, name_last) VALUES
		('w', 'a', 'ada@example.com', '00000000-0000-0000-0000-00000000000a', (1, 'api'), (9223372036854775807, ''), (9223372036854775807, ''), (1, 'Ada Lovelace'))`,
	`INSERT INTO organization_claims (workspace_id, external_organization_id, organization_id, explicit_first, event_first, name_first, name_last) VALUES
		('w', 'o', '00000000-0000-0000-0000-00000000000e', (9223372036854775807, ''), (1, 'segment'), (1, 'Ohm'), (0, ''))`,
	`INSERT INTO dead_letters (workspace_id, product_id, connection_id, source, received_at, reason, detail, message, context, origin, kafka_topic, kafka_partition, kafka_offset)
	SELECT 'w', if(number = 9, 'app', 'shop'), if(number % 2, 'one', 'two'), 'segment', toDateTime64('2026-05-18 11:00:00', 3, 'UTC') + toIntervalSecond(intDiv(number, 3)), if(number < 7, 'missing_event', 'bad_type'), 'why',
		repeat('é', 1500) || unhex('FF'), '{}', 'ingest/3/9', 'dead', 1, number FROM numbers(10)`,
	`INSERT INTO dead_letters (workspace_id, product_id, connection_id, received_at, reason, kafka_topic, kafka_partition, kafka_offset) VALUES ('w', 'shop', 'one', '2026-05-17 11:59:59.999', 'missing_event', 'dead', 1, 99)`,
}

// again are deliveries of the same that count for nothing: events with a lower version and another influence and value, and all once more.
var again = []string{
	`INSERT INTO events (workspace_id, product_id, connection_id, insert_id, message_type, event_type, influence, event_at, event_key_at, received_at, value, value_type, currency, version)
		SELECT workspace_id, product_id, 'four', insert_id, message_type, event_type, 'negative', event_at, event_key_at, received_at + 1, '1000', 'currency', 'USD', 4 FROM events`,
	`INSERT INTO events SELECT * FROM events WHERE version = 5`,
	// Its message does not say when it happened. The delivery that counts was sent before the range.
	`INSERT INTO events (workspace_id, product_id, connection_id, insert_id, message_type, event_type, influence, event_at, event_key_at, received_at, version) VALUES
		('w', 'late', 'five', 'first', 'track', 'Sold', 'positive', '2026-05-17 11:00:00', 0, '2026-05-16 11:00:00', 5), ('w', 'late', 'five', 'first', 'track', 'Sold', 'positive', '2026-05-18 11:00:00', 0, '2026-05-16 11:00:00', 4)`,
	`INSERT INTO dead_letters SELECT * FROM dead_letters`,
}

// oddEvents are of the odd product: an event, a dead letter.
var oddEvents = []string{
	`INSERT INTO events (workspace_id, product_id, connection_id, insert_id, message_type, event_type, influence, event_at, event_key_at, received_at, kafka_topic, kafka_offset, version)
		SELECT 'w', p, 'odd', p, 'track', p, 'neutral', toDateTime64('2026-05-18 11:30:00', 3, 'UTC') AS at, at, at, 'ingest', 7, 1125899906842624 * 4 FROM (SELECT %[1]s AS p)`,
	`INSERT INTO dead_letters (workspace_id, product_id, connection_id, received_at, reason, message, kafka_topic) SELECT 'w', p, p, '2026-05-18 11:30:00', p, p, p FROM (SELECT %[1]s AS p)`,
}

// opened is an Insight into the known data, in parts that are not merged.
func opened(t *testing.T) (*Client, env.Database) {
	t.Helper()
	db := env.ClickHouse(t)
	config := migrated(t, db, "")
	fill(t, db, db)
	return into(t, config), db
}

// sharded is the same in a cluster of two servers.
func sharded(t *testing.T) (*Client, env.Database) {
	t.Helper()
	shards := env.Shards(t)
	config := migrated(t, shards[0], env.TwoShards)
	local := shards
	local[0].Name, local[1].Name = shards[0].Name+"_local", shards[0].Name+"_local"
	fill(t, shards[0], local[:]...)
	for _, db := range local {
		require.NotEqual(t, "0", db.Exec(t, "SELECT count() FROM events"), "the control: both have some")
	}
	return into(t, config), shards[1]
}

func migrated(t *testing.T, db env.Database, cluster string) warehouse.Config {
	t.Helper()
	config := warehouse.Config{ClickHouse: db.Addr(), Database: db.Name, Cluster: cluster, User: "default", Compression: "none", Timeout: time.Minute, Inserts: 1}
	_, err := warehouse.Migrate(t.Context(), config)
	require.NoError(t, err)
	return config
}

// fill inserts the known data, and again. holders have the rows.
func fill(t *testing.T, db env.Database, holders ...env.Database) {
	t.Helper()
	for _, holder := range holders {
		holder.Exec(t, "SYSTEM STOP MERGES events")
		holder.Exec(t, "SYSTEM STOP MERGES dead_letters")
	}
	statements := append(slices.Clone(known), again...)
	for _, statement := range oddEvents {
		statements = append(statements, fmt.Sprintf(statement, warehouse.Quote(odd)))
	}
	for _, statement := range statements {
		db.Exec(t, statement)
		if len(holders) > 1 {
			for _, table := range []string{"events", "dead_letters", "conversation_activity", "user_claims", "organization_claims"} {
				db.Exec(t, "SYSTEM FLUSH DISTRIBUTED "+table)
			}
		}
	}
	for _, table := range []string{"events", "dead_letters"} {
		require.NotEqual(t, db.Exec(t, "SELECT count() FROM "+table), db.Exec(t, "SELECT count() FROM "+table+" FINAL"), "the control: what was delivered again is there")
	}
}

func into(t *testing.T, config warehouse.Config) *Client {
	t.Helper()
	reader, err := warehouse.OpenReader(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, reader.Close()) })
	return New(reader)
}

// lastDay is the day up to noon.
func lastDay(t *testing.T, product string) Filter {
	t.Helper()
	r, err := Last("24h", asking)
	require.NoError(t, err)
	return Filter{r, product}
}

// copied runs an answer's SQL as somebody does who copied it, and tells how many rows come.
func copied(t *testing.T, db env.Database, sql string) int {
	t.Helper()
	require.NotContains(t, sql, "{")
	require.NotContains(t, sql, `"`)
	answer := db.Exec(t, sql)
	if answer == "" {
		return 0
	}
	return strings.Count(answer, "\n") + 1
}

func number(s string) decimal.Decimal { return decimal.RequireFromString(s) }
