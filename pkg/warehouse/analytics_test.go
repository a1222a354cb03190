package warehouse

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/test/env"
)

// The known data. Ids end in what they stand for: conversations c1 to c5, users a and b, and an
// organization 0e.
//
//	c1  started 10:00, active at 10:10 and 10:50 on the 18th
//	c2  started 12:00 on the 18th, nothing follows
//	c3  started 23:30 on the 18th; one event names it before it starts
//	c4  started 00:00 on the 19th, of the product app
//	c5  started 00:00 on the 20th, nothing follows
const (
	knownActivity = `INSERT INTO conversation_activity
		(workspace_id, product_id, external_conversation_id, conversation_id, activity_at, external_user_id, user_id, version) VALUES
		('w', 'shop', 'c1', '00000000-0000-0000-0000-0000000000c1', '2026-05-18 10:00:00.000', 'a', '00000000-0000-0000-0000-00000000000a', 5),
		('w', 'shop', 'c1', '00000000-0000-0000-0000-0000000000c1', '2026-05-18 10:10:00.000', 'a', '00000000-0000-0000-0000-00000000000a', 5),
		('w', 'shop', 'c1', '00000000-0000-0000-0000-0000000000c1', '2026-05-18 10:50:00.000', 'a', '00000000-0000-0000-0000-00000000000a', 5),
		('w', 'shop', 'c2', '00000000-0000-0000-0000-0000000000c2', '2026-05-18 12:00:00.000', '', NULL, 5),
		('w', 'shop', 'c3', '00000000-0000-0000-0000-0000000000c3', '2026-05-18 23:30:00.000', 'b', '00000000-0000-0000-0000-00000000000b', 5),
		('w', 'shop', 'c5', '00000000-0000-0000-0000-0000000000c5', '2026-05-20 00:00:00.000', '', NULL, 5),
		('w', 'app',  'c4', '00000000-0000-0000-0000-0000000000c4', '2026-05-19 00:00:00.000', 'a', '00000000-0000-0000-0000-00000000000a', 5)`

	knownEvents = `INSERT INTO events
		(workspace_id, product_id, insert_id, message_type, event_type, influence, event_at, event_key_at, user_id, organization_id, conversation_id, value, value_type, currency, version)
		SELECT 'w', product, id, 'track', type, influence, at, if(id IN ('e09', 'e10'), toDateTime64(0, 3, 'UTC'), at),
			toUUIDOrNull('00000000-0000-0000-0000-00000000000' || user), toUUIDOrNull('00000000-0000-0000-0000-0000000000' || organization),
			toUUIDOrNull('00000000-0000-0000-0000-0000000000' || conversation), toDecimal128OrNull(value, 18), value_type, currency, 5
		FROM VALUES('product String, id String, type String, influence String, at DateTime64(3, ''UTC''), user String, organization String, conversation String,
				value Nullable(String), value_type Nullable(String), currency String',
			('shop', 'e01', 'Page Viewed',     'neutral',  '2026-05-18 10:30:00.000', 'a', '0e', 'c1', NULL, NULL, ''),
			('shop', 'e02', 'Order Completed', 'positive', '2026-05-18 11:00:00.000', 'a', '0e', 'c1', '49', 'currency', 'USD'),
			('shop', 'e03', 'Order Completed', 'positive', '2026-05-18 23:59:59.999', 'a', '0e', 'c1', '0.100000000000000001', 'currency', 'USD'),
			('shop', 'e04', 'Order Refunded',  'negative', '2026-05-19 10:00:00.000', 'a', '0e', 'c1', '-7.5', 'currency', 'EUR'),
			('shop', 'e05', 'Upgraded',        'positive', '2026-05-19 10:00:00.001', 'a', '',   'c1', '3', 'currency', ''),
			('shop', 'e06', 'Page Viewed',     'neutral',  '2026-05-18 22:30:00.000', 'b', '',   'c3', NULL, NULL, ''),
			('shop', 'e07', 'Signed Up',       'positive', '2026-05-18 23:30:00.000', 'b', '0e', 'c3', NULL, NULL, ''),
			('app',  'e08', 'Scored',          'neutral',  '2026-05-19 08:00:00.000', 'a', '',   'c4', '90000000000000000000', 'numeric', ''),
			('app',  'e09', 'Scored',          'neutral',  '2026-05-19 09:00:00.000', '',  '',   '',   90000000000000000000, 'numeric', ''),
			('app',  'e10', 'Renamed',         'neutral',  '1901-02-03 04:05:06.000', '',  '',   '',   NULL, 'text', ''))`

	knownPeople = `INSERT INTO user_claims (workspace_id, external_user_id, email, user_id, explicit_first, event_first, name_first, name_last) VALUES
		('w', 'a', 'ada@example.com', '00000000-0000-0000-0000-00000000000a', (1, 'api'), (9223372036854775807, ''), (9223372036854775807, ''), (1, 'Ada'))`

	knownOrganization = `INSERT INTO organization_claims (workspace_id, external_organization_id, organization_id, explicit_first, event_first, name_first, name_last) VALUES
		('w', 'o', '00000000-0000-0000-0000-00000000000e', (1, 'api'), (9223372036854775807, ''), (9223372036854775807, ''), (1, 'Ohm'))`
)

// Rows that were replaced: what each event was before it was known whose it is, and with another influence and
// value; and an activity of a user that nobody knew.
var replaced = []string{
	`INSERT INTO events (workspace_id, product_id, insert_id, message_type, event_type, influence, event_at, event_key_at, value, value_type, currency, version)
		SELECT workspace_id, product_id, insert_id, message_type, event_type, 'negative', event_at + 1000 * (event_key_at = 0), event_key_at, '1000', 'currency', 'USD', 4 FROM events`,
	`INSERT INTO events SELECT * FROM events WHERE version = 5`,
	`INSERT INTO conversation_activity (workspace_id, product_id, external_conversation_id, conversation_id, activity_at, external_user_id, user_id, version)
		SELECT workspace_id, product_id, external_conversation_id, conversation_id, activity_at, external_user_id, NULL, 4 FROM conversation_activity`,
	knownPeople, knownOrganization,
}

// known is a database with the known data in parts that are not merged, so that replaced rows are still there.
func known(t *testing.T) env.Database {
	db, _ := migrated(t)
	for _, table := range []string{"events", "conversation_activity", "user_claims", "organization_claims"} {
		db.Exec(t, "SYSTEM STOP MERGES "+table)
	}
	for _, statement := range append([]string{knownActivity, knownEvents, knownPeople, knownOrganization}, replaced...) {
		db.Exec(t, statement)
	}
	require.Equal(t, "30\t10", db.Exec(t, "SELECT count(), uniqExact(insert_id) FROM events"), "the control: replaced rows are there")
	return db
}

// merge makes one part of each partition, and so removes the replaced rows.
func merge(t *testing.T, db env.Database) {
	for _, table := range []string{"events", "conversation_activity", "user_claims", "organization_claims"} {
		db.Exec(t, "SYSTEM START MERGES "+table)
		db.Exec(t, "OPTIMIZE TABLE "+table+" FINAL")
	}
	require.Equal(t, "10", db.Exec(t, "SELECT count() FROM events"))
}

var questions = []struct{ name, query, answer string }{
	{
		// A user or conversation counts once in each row; 90000000000000000000 twice is more than the stored type holds.
		"outcomes by day", `SELECT product_id, day, influence, value_type, currency, events, users, conversations, total_value FROM outcomes_daily ORDER BY ALL`, `
app	1901-02-03	neutral	text		1	0	0	\N
app	2026-05-19	neutral	numeric		2	1	1	180000000000000000000
shop	2026-05-18	neutral	\N		2	2	2	\N
shop	2026-05-18	positive	currency	USD	2	1	1	49.100000000000000001
shop	2026-05-18	positive	\N		1	1	1	\N
shop	2026-05-19	negative	currency	EUR	1	1	1	-7.5
shop	2026-05-19	positive	currency		1	1	1	3`,
	},
	{
		"one product's day", `SELECT influence, currency, events FROM outcomes_daily WHERE product_id = 'shop' AND day = '2026-05-19' ORDER BY ALL`, `
negative	EUR	1
positive		1`,
	},
	{
		// c1: the first outcome is 30 minutes after the start and 20 after 10:10, for 10:50 is later. c3: its first event is an
		// hour before the start.
		"conversations with counts and delays", `SELECT external_conversation_id, product_id, user_id, started_at, activities, outcomes, positive, neutral, negative,
			first_outcome_at, first_outcome_after_start_seconds, first_outcome_after_activity_seconds FROM conversation_outcomes ORDER BY 1`, `
c1	shop	00000000-0000-0000-0000-00000000000a	2026-05-18 10:00:00.000	3	5	3	1	1	2026-05-18 10:30:00.000	1800	1200
c2	shop	\N	2026-05-18 12:00:00.000	1	0	0	0	0	\N	\N	\N
c3	shop	00000000-0000-0000-0000-00000000000b	2026-05-18 23:30:00.000	1	2	1	1	0	2026-05-18 22:30:00.000	-3600	\N
c4	app	00000000-0000-0000-0000-00000000000a	2026-05-19 00:00:00.000	1	1	0	1	0	2026-05-19 08:00:00.000	28800	28800
c5	shop	\N	2026-05-20 00:00:00.000	1	0	0	0	0	\N	\N	\N`,
	},
	{
		// A number is no amount: c4 has none.
		"conversations with values", `SELECT external_conversation_id, value_by_currency, first_positive_at, first_negative_at, last_outcome_at
			FROM conversation_outcomes ORDER BY 1`, `
c1	{'':3,'EUR':-7.5,'USD':49.100000000000000001}	2026-05-18 11:00:00.000	2026-05-19 10:00:00.000	2026-05-19 10:00:00.001
c2	{}	\N	\N	\N
c3	{}	2026-05-18 23:30:00.000	\N	2026-05-18 23:30:00.000
c4	{}	\N	\N	2026-05-19 08:00:00.000
c5	{}	\N	\N	\N`,
	},
	{
		// b is nobody that anything is known of.
		"users", `SELECT external_user_id, email, name, product_id, outcomes, positive, neutral, negative, value_by_currency, conversations, first_outcome_at, last_outcome_at
			FROM user_outcomes ORDER BY user_id, product_id`, `
a	ada@example.com	Ada	app	1	0	1	0	{}	1	2026-05-19 08:00:00.000	2026-05-19 08:00:00.000
a	ada@example.com	Ada	shop	5	3	1	1	{'':3,'EUR':-7.5,'USD':49.100000000000000001}	1	2026-05-18 10:30:00.000	2026-05-19 10:00:00.001
\N	\N	\N	shop	2	1	1	0	{}	1	2026-05-18 22:30:00.000	2026-05-18 23:30:00.000`,
	},
	{
		"organizations", `SELECT external_organization_id, name, product_id, outcomes, positive, neutral, negative, value_by_currency, conversations, users, first_outcome_at, last_outcome_at
			FROM organization_outcomes`, `
o	Ohm	shop	5	3	1	1	{'EUR':-7.5,'USD':49.100000000000000001}	2	2	2026-05-18 10:30:00.000	2026-05-19 10:00:00.000`,
	},
	{
		// Three conversations of shop start on the 18th. e04 is 24 hours after c1's start to the millisecond, e05 a millisecond
		// later, and e06 before c3's. Nothing follows c5, which starts on the 20th.
		"conversion within 24 hours", `SELECT product_id, day, event_type, influence, started, converted, round(rate, 3) FROM conversation_conversion(window_hours = 24) ORDER BY ALL`, `
app	2026-05-19	Scored	neutral	1	1	1
app	2026-05-19	\N	neutral	1	1	1
shop	2026-05-18	Order Completed	positive	3	1	0.333
shop	2026-05-18	Order Refunded	negative	3	1	0.333
shop	2026-05-18	Page Viewed	neutral	3	1	0.333
shop	2026-05-18	Signed Up	positive	3	1	0.333
shop	2026-05-18	\N	negative	3	1	0.333
shop	2026-05-18	\N	neutral	3	1	0.333
shop	2026-05-18	\N	positive	3	2	0.667
shop	2026-05-20	Order Completed	positive	1	0	0
shop	2026-05-20	Order Refunded	negative	1	0	0
shop	2026-05-20	Page Viewed	neutral	1	0	0
shop	2026-05-20	Signed Up	positive	1	0	0
shop	2026-05-20	\N	negative	1	0	0
shop	2026-05-20	\N	neutral	1	0	0
shop	2026-05-20	\N	positive	1	0	0`,
	},
	{
		"conversion within an hour", `SELECT product_id, event_type, influence, converted FROM conversation_conversion(window_hours = 1) WHERE product_id = 'shop' AND day = '2026-05-18' ORDER BY ALL`, `
shop	Order Completed	positive	1
shop	Page Viewed	neutral	1
shop	Signed Up	positive	1
shop	\N	neutral	1
shop	\N	positive	2`,
	},
	{
		"types nobody has classified", `SELECT * FROM unclassified_event_types`, `
w	Page Viewed	2	2026-05-18 10:30:00.000	2026-05-18 22:30:00.000	['shop']	e06
w	Scored	2	2026-05-19 08:00:00.000	2026-05-19 09:00:00.000	['app']	e09
w	Renamed	1	1901-02-03 04:05:06.000	1901-02-03 04:05:06.000	['app']	e10`,
	},
}

func TestViews_KnownData_GiveKnownAnswers(t *testing.T) {
	db := known(t)
	ask := func(when, settings string) {
		for _, q := range questions {
			require.Equal(t, strings.TrimPrefix(q.answer, "\n"), db.Exec(t, q.query+settings), "%s %s", q.name, when)
		}
	}
	ask("before merges", "")
	ask("by a reader with other settings", " SETTINGS join_use_nulls = 1")
	merge(t, db)
	ask("after merges", "")
}

// 20 days of two products, 10,000 events a day each. What is read is in whole granules of 8192 rows.
func TestViews_ProductAndDayFilter_ReadsFewGranules(t *testing.T) {
	db, _ := migrated(t)
	const days, rows = 20, 400_000
	db.Exec(t, fmt.Sprintf(`INSERT INTO events (workspace_id, product_id, insert_id, message_type, event_type, influence, event_at, event_key_at)
		SELECT 'w', ['app', 'shop'][1 + number %% 2], toString(number), 'track', 'Signed Up', 'positive',
			toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + toIntervalDay(intDiv(number, 2) %% %d) AS at, at
		FROM numbers(%d)`, days, rows))
	read := func(query string) int {
		n, err := strconv.Atoi(db.Exec(t, "SELECT sum(rows) FROM (EXPLAIN ESTIMATE "+query+") WHERE table = 'events'"))
		require.NoError(t, err)
		return n
	}
	for _, view := range []string{"outcomes_daily", "conversation_outcomes", "user_outcomes", "organization_outcomes", "conversation_conversion(window_hours = 24)", "unclassified_event_types"} {
		require.Equal(t, rows, read("SELECT * FROM "+view), view)
	}
	for _, view := range []string{"outcomes_daily", "conversation_outcomes", "user_outcomes", "organization_outcomes", "conversation_conversion(window_hours = 24)"} {
		require.Less(t, read("SELECT * FROM "+view+" WHERE product_id = 'shop'"), rows*2/3, view)
	}
	require.Less(t, read("SELECT * FROM outcomes_daily WHERE product_id = 'shop' AND day = '2026-03-03'"), rows/8)
}
