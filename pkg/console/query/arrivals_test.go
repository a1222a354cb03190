package query

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/warehouse"
	"github.com/millrace/millrace/test/env"
)

func testArrivals(t *testing.T, c *Client, db env.Database) {
	t.Run("freshness", func(t *testing.T) {
		fresh, err := c.Freshness(t.Context(), "shop", asking)
		require.NoError(t, err)
		require.Len(t, fresh.Times, 60)
		require.Equal(t, noon.Unix()-60, fresh.Times[59])
		require.Equal(t, map[int]uint64{0: 1, 58: 1, 59: 3}, at(fresh.Events))
		require.Equal(t, noon.Add(-56*time.Second), fresh.Newest, "what was sent again came last")
		require.Equal(t, 60, copied(t, db, fresh.SQL))

		fresh, err = c.Freshness(t.Context(), "shop", noon.Add(2*day))
		require.NoError(t, err)
		require.Empty(t, at(fresh.Events))
		require.Equal(t, noon.Add(-56*time.Second), fresh.Newest)
		fresh, err = c.Freshness(t.Context(), "nobody's", noon)
		require.NoError(t, err)
		require.Zero(t, fresh.Newest)
		require.Len(t, fresh.Events, 60)
	})

	t.Run("connections", func(t *testing.T) {
		now := noon.Add(time.Second)
		minute, err := c.LastMinute(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, map[string]uint64{"one": 2, "two": 1, "four": 3}, minute, "four sent again what the others had sent")
		letters, err := c.DeadLettersLastDay(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, map[string]uint64{"one": 5, "two": 5, odd: 1}, letters)
		letters, err = c.DeadLettersLastDay(t.Context(), noon.Add(3*day))
		require.NoError(t, err)
		require.Empty(t, letters)
	})
}

func testRecent(t *testing.T, c *Client, db env.Database) {
	db.Exec(t, `INSERT INTO events (workspace_id, product_id, connection_id, insert_id, message_type, event_type, influence, event_at, event_key_at, received_at, external_user_id, user_email, value_text, currency, kafka_topic, kafka_partition, kafka_offset, version)
		SELECT 'w', 'late', if(number % 2 = 0, 'mine', 'theirs'), toString(number), 'track', if(number % 4 = 0, 'Sold', 'Seen'), if(number % 4 = 0, 'positive', 'neutral'), at, at, at,
			'User-' || toString(number), 'Mail' || toString(number) || '@b.c', '5', 'USD', 'in', 3, number, 1
		FROM (SELECT number, toDateTime64('2025-05-18 00:00:00', 3, 'UTC') + number AS at FROM numbers(100))`)
	since := time.Date(2025, 5, 18, 0, 0, 80, 0, time.UTC)
	find := func(f LatestFilter, limit int) (offsets []int64) {
		f.Product, f.Connection = "late", "mine"
		if f.Since.IsZero() {
			f.Since = since
		}
		found, err := c.Latest(t.Context(), f, limit)
		require.NoError(t, err)
		for _, r := range found {
			offsets = append(offsets, r.Offset)
		}
		return offsets
	}
	require.Equal(t, []int64{98, 96, 94}, find(LatestFilter{}, 3), "the newest of its own")
	require.Len(t, find(LatestFilter{}, 100), 10, "since then")
	require.Equal(t, []int64{96, 92}, find(LatestFilter{EventType: "sOL"}, 2))
	require.Equal(t, []int64{98, 94}, find(LatestFilter{Influence: "neutral"}, 2))
	require.Equal(t, []int64{88}, find(LatestFilter{User: "uSER-88"}, 2))
	require.Equal(t, []int64{88}, find(LatestFilter{User: "mail88@"}, 2))
	require.Empty(t, find(LatestFilter{User: odd, EventType: odd, Influence: odd}, 2))
	found, err := c.Latest(t.Context(), LatestFilter{Product: "late", Connection: "mine", Since: since, User: "User-96"}, 2)
	require.NoError(t, err)
	at := time.Date(2025, 5, 18, 0, 1, 36, 0, time.UTC)
	require.Equal(t, []LatestEvent{{
		Product: "late", EventType: "Sold", Influence: "positive", InsertID: "96", KeyAt: at.UnixMilli(), ReceivedAt: at,
		Value: "5", Currency: "USD", ExternalUserID: "User-96", Email: "Mail96@b.c", Topic: "in", Partition: 3, Offset: 96,
	}}, found)
}

func testDeadLetters(t *testing.T, c *Client, db env.Database) {
	shop := DeadLetterFilter{Filter: lastDay(t, "shop")}

	reasons, err := c.Reasons(t.Context(), DeadLetterFilter{Filter: lastDay(t, "")})
	require.NoError(t, err)
	require.Equal(t, []Reason{{"missing_event", 7, noon.Add(-time.Hour + 2*time.Second)}, {"bad_type", 3, noon.Add(-time.Hour + 3*time.Second)}, {odd, 1, noon.Add(-30 * time.Minute)}}, reasons.Reasons)
	require.Equal(t, 3, copied(t, db, reasons.SQL))
	reasons, err = c.Reasons(t.Context(), DeadLetterFilter{Filter: lastDay(t, "shop"), Connection: "two"})
	require.NoError(t, err)
	require.Equal(t, []Reason{{"missing_event", 4, noon.Add(-time.Hour + 2*time.Second)}, {"bad_type", 1, noon.Add(-time.Hour + 2*time.Second)}}, reasons.Reasons)

	var offsets []int64
	var pages int
	for after := (*Coordinates)(nil); ; pages++ {
		page, err := c.DeadLetters(t.Context(), shop, after, 4)
		require.NoError(t, err)
		for _, l := range page.DeadLetters {
			offsets = append(offsets, l.Offset)
			require.Len(t, []rune(l.Message), maxExcerpt)
			require.Equal(t, uint64(3001), l.Bytes)
		}
		require.Positive(t, copied(t, db, page.SQL))
		if after = page.Next; after == nil {
			break
		}
	}
	require.Equal(t, []int64{8, 7, 6, 5, 4, 3, 2, 1, 0}, offsets)
	require.Equal(t, 2, pages)

	shop.Reason, shop.Connection = "missing_event", "one"
	page, err := c.DeadLetters(t.Context(), shop, nil, 0)
	require.NoError(t, err)
	require.Len(t, page.DeadLetters, 1)
	l := page.DeadLetters[0]
	require.Equal(t, Coordinates{"shop", noon.Add(-time.Hour + time.Second), "dead", 1, 5}, l.Coordinates)
	require.Equal(t, []string{"ingest/3/9", "segment", "w", "why"}, []string{l.Origin, l.Source, l.Workspace, l.Detail})

	hostile := DeadLetterFilter{lastDay(t, odd), odd, odd}
	page, err = c.DeadLetters(t.Context(), hostile, nil, MaxDeadLetters+1)
	require.NoError(t, err)
	require.Len(t, page.DeadLetters, 1)
	require.Equal(t, odd, page.DeadLetters[0].Message)
	require.Equal(t, 1, copied(t, db, page.SQL))
}

func testStored(t *testing.T, c *Client) {
	kb := Key{"shop", noon.Add(-time.Hour).UnixMilli(), "kb"}
	ke := Key{"shop", 0, "ke"}
	its := Key{odd, noon.Add(-30 * time.Minute).UnixMilli(), odd}
	found, err := c.Stored(t.Context(), []Key{kb, ke, its, {"shop", 1, "kb"}, {"app", kb.KeyAt, "kb"}, {"shop", kb.KeyAt, "x"}})
	require.NoError(t, err)
	require.Equal(t, map[Key]StoredEvent{
		kb: {
			ReceivedAt: noon.Add(-time.Hour + time.Second), Topic: "ingest", Partition: 3, Offset: 1, EventType: "Order Completed", Influence: "positive",
			UserID: "00000000-0000-0000-0000-00000000000a", ConversationID: "00000000-0000-0000-0000-0000000000c1", ExternalConversationID: "chat 1", ExternalUserID: "a", UserName: "Ada Lovelace",
			OrganizationID: "00000000-0000-0000-0000-00000000000e", ExternalOrganizationID: "o", OrganizationName: "Ohm",
		},
		ke:  {ReceivedAt: noon.Add(-2 * time.Minute), Topic: "ingest", Partition: 3, Offset: 4, EventType: "Page Viewed", Influence: "neutral", ConversationID: "00000000-0000-0000-0000-0000000000c2", ExternalConversationID: "chat 2"},
		its: {ReceivedAt: noon.Add(-30 * time.Minute), Topic: "ingest", Offset: 7, EventType: odd, Influence: "neutral", Revised: true},
	}, found)

	none, err := c.Stored(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = c.Stored(t.Context(), make([]Key, MaxKeys+1))
	require.ErrorContains(t, err, "BUG")
}

func testStoredCheaply(t *testing.T, c *Client, db env.Database) {
	// 100,000 rows of 23 days; the keys are of 200 that follow each other, as those are that have just arrived.
	db.Exec(t, `INSERT INTO events (workspace_id, product_id, insert_id, message_type, event_type, influence, event_at, event_key_at, version)
		SELECT 'w', 'large', toString(number), 'track', 'Sold', 'positive', toDateTime64('2025-05-18 00:00:00', 3, 'UTC') + toIntervalSecond(number * 20) AS at, at, 1 FROM numbers(100000)`)
	var keys []Key
	for n := 50_000; n < 50_000+MaxKeys; n++ {
		keys = append(keys, Key{"large", time.Date(2025, 5, 18, 0, 0, n*20, 0, time.UTC).UnixMilli(), strconv.Itoa(n)})
	}
	found, err := c.Stored(t.Context(), keys)
	require.NoError(t, err)
	require.Len(t, found, MaxKeys)
	estimate := "SELECT sum(rows) FROM (EXPLAIN ESTIMATE " + warehouse.InlineParameters(storedQuery, parameters{"keys": keyArray(keys)}) + ")"
	read, err := strconv.Atoi(db.Exec(t, estimate))
	require.NoError(t, err)
	require.Positive(t, read)
	require.LessOrEqual(t, read, 2*8192)
}
