package query

import (
	"strconv"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/test/env"
)

// at are the numbers of the steps that are not 0.
func at[T comparable](steps []T) map[int]T {
	var zero T
	found := map[int]T{}
	for n, value := range steps {
		if value != zero {
			found[n] = value
		}
	}
	return found
}

// All tests ask of the same rows, and none changes what another finds.
func TestInsight(t *testing.T) {
	c, db := opened(t)
	t.Run("what happened", func(t *testing.T) { testHappened(t, c, db) })
	t.Run("what arrives", func(t *testing.T) { testArrivals(t, c, db) })
	t.Run("dead letters", func(t *testing.T) { testDeadLetters(t, c, db) })
	t.Run("stored", func(t *testing.T) { testStored(t, c) })
	t.Run("recent", func(t *testing.T) { testRecent(t, c, db) })
	t.Run("little is read for it", func(t *testing.T) { testStoredCheaply(t, c, db) })
}

// The answers of two servers are those of one, and what is copied can be asked of either.
func TestInsightIntoShards(t *testing.T) {
	c, db := sharded(t)
	t.Run("what happened", func(t *testing.T) { testHappened(t, c, db) })
	t.Run("what arrives", func(t *testing.T) { testArrivals(t, c, db) })
	t.Run("dead letters", func(t *testing.T) { testDeadLetters(t, c, db) })
	t.Run("stored", func(t *testing.T) { testStored(t, c) })
}

// The 144 steps of ten minutes begin at noon the day before: 11:00 is step 138.
func testHappened(t *testing.T, c *Client, db env.Database) {
	t.Run("events by influence", func(t *testing.T) {
		e, err := c.Events(t.Context(), lastDay(t, "shop"))
		require.NoError(t, err)
		require.Len(t, e.Times, 144)
		require.Equal(t, noon.Add(-day).Unix(), e.Times[0])
		require.Equal(t, noon.Unix()-600, e.Times[143])
		require.Equal(t, map[int]uint64{138: 2}, at(e.Positive))
		require.Equal(t, map[int]uint64{139: 1}, at(e.Negative))
		require.Equal(t, map[int]uint64{0: 1, 143: 1}, at(e.Neutral))
		require.Equal(t, 144, copied(t, db, e.SQL))

		all, err := c.Events(t.Context(), lastDay(t, ""))
		require.NoError(t, err)
		require.Equal(t, map[int]uint64{72: 46, 138: 2, 140: 1}, at(all.Positive), "46 of the product with many currencies")
	})

	t.Run("as many as in the view", func(t *testing.T) {
		for _, product := range []string{"", "shop", "app", "many", "types", "late"} {
			e, err := c.Events(t.Context(), lastDay(t, product))
			require.NoError(t, err)
			view := "SELECT count() FROM outcomes WHERE event_at >= '2026-05-17 12:00:00' AND event_at < '2026-05-18 12:00:00'"
			if product != "" {
				view += " AND product_id = '" + product + "'"
			}
			require.Equal(t, db.Exec(t, view), strconv.FormatUint(sum(e.Negative)+sum(e.Neutral)+sum(e.Positive), 10), product)
		}
	})

	t.Run("in steps of any width", func(t *testing.T) {
		for _, span := range []time.Duration{time.Minute, time.Hour, 7 * day, 30 * day, 700 * day, 1500 * day, 2500 * day} {
			r, err := Between(noon.Add(-span), noon)
			require.NoError(t, err)
			e, err := c.Events(t.Context(), Filter{r, "app"})
			require.NoError(t, err)
			require.Equal(t, len(e.Times), copied(t, db, e.SQL), span)
			if span > time.Minute {
				require.Equal(t, map[int]uint64{r.stepIndex(noon.Add(-40 * time.Minute)): 1}, at(e.Positive), span)
			}
		}
	})

	t.Run("values by currency", func(t *testing.T) {
		v, err := c.Values(t.Context(), lastDay(t, "shop"))
		require.NoError(t, err)
		require.Len(t, v.Currencies, 2)
		require.Zero(t, v.Others)
		usd, eur := v.Currencies[0], v.Currencies[1]
		require.Equal(t, "USD", usd.Code)
		require.Equal(t, uint64(2), usd.Amounts)
		require.Equal(t, "49.100000000000000001", usd.Total.String())
		require.Equal(t, "49.100000000000000001", usd.Sums[138].String())
		require.Equal(t, map[int]float64{138: 49.1}, at(usd.Points))
		require.Equal(t, "EUR", eur.Code)
		require.Equal(t, map[int]float64{139: -7.5}, at(eur.Points))
		require.Len(t, eur.Sums, len(v.Times))
		require.Equal(t, 2, copied(t, db, v.SQL))
	})

	t.Run("more currencies than can be drawn", func(t *testing.T) {
		v, err := c.Values(t.Context(), lastDay(t, "many"))
		require.NoError(t, err)
		var codes []string
		for _, c := range v.Currencies {
			codes = append(codes, c.Code)
			require.Equal(t, number("90000000000000000000").Mul(decimal.NewFromUint64(c.Amounts)).String(), c.Sums[72].String())
		}
		require.Equal(t, []string{"", "HH", "GG", "FF", "EE", "DD"}, codes)
		require.Equal(t, uint64(3), v.Others)
	})

	t.Run("types", func(t *testing.T) {
		types, err := c.Types(t.Context(), lastDay(t, "shop"))
		require.NoError(t, err)
		require.Zero(t, types.Others)
		require.Len(t, types.Types, 2)
		require.Equal(t, "Order Completed", types.Types[0].Name)
		require.Equal(t, uint64(3), types.Types[0].Events)
		require.Equal(t, Counts{Negative: 1, Positive: 2}, types.Types[0].Counts)
		require.Equal(t, "49.100000000000000001", types.Types[0].Values["USD"].String())
		require.Equal(t, "-7.5", types.Types[0].Values["EUR"].String())
		require.Equal(t, "Page Viewed", types.Types[1].Name)
		require.Empty(t, types.Types[1].Values, "a number is no money")
		require.Equal(t, 2, copied(t, db, types.SQL))

		many, err := c.Types(t.Context(), lastDay(t, "types"))
		require.NoError(t, err)
		require.Len(t, many.Types, maxTypes)
		require.Equal(t, uint64(5), many.Others)
	})

	t.Run("types nobody has classified", func(t *testing.T) {
		u, err := c.Unclassified(t.Context(), lastDay(t, "shop"))
		require.NoError(t, err)
		require.Equal(t, []UnclassifiedType{{"Page Viewed", 2, noon.Add(-2 * time.Minute), []string{"shop"}, "ke", 1}}, u.Types)
		require.Equal(t, 1, copied(t, db, u.SQL))

		all, err := c.Unclassified(t.Context(), lastDay(t, ""))
		require.NoError(t, err)
		require.NotContains(t, names(all.Types), "Page Viewed", "it was positive in another product")

		many, err := c.Unclassified(t.Context(), lastDay(t, "types"))
		require.NoError(t, err)
		require.Equal(t, "Type 24", many.Types[0].Name, "not 25, for it was negative once")
		require.Equal(t, uint64(4), many.Others)
	})

	t.Run("conversations", func(t *testing.T) {
		found, err := c.Conversations(t.Context(), lastDay(t, "shop"), Newest)
		require.NoError(t, err)
		require.Equal(t, []string{"chat 3", "chat 2", "chat 1"}, chats(found))
		require.Equal(t, 3, copied(t, db, found.SQL))
		nothing, first := found.Conversations[0], found.Conversations[2]
		require.Nil(t, nothing.UserID)
		require.Nil(t, nothing.AfterStart)
		require.Zero(t, nothing.Outcomes)
		require.Equal(t, "00000000-0000-0000-0000-0000000000c1", first.ID)
		require.Equal(t, "00000000-0000-0000-0000-00000000000a", *first.UserID)
		require.Equal(t, Counts{Positive: 3}, first.Counts, "all that it led to, also after the range")
		require.Equal(t, "50.100000000000000001", first.Values["USD"].String())
		require.Equal(t, 60.0, *first.AfterStart)
		require.Equal(t, noon, *first.LastOutcomeAt)

		found, err = c.Conversations(t.Context(), lastDay(t, "shop"), MostOutcomes)
		require.NoError(t, err)
		require.Equal(t, []string{"chat 1", "chat 2", "chat 3"}, chats(found))
	})

	t.Run("of a product whose name is odd", func(t *testing.T) {
		e, err := c.Events(t.Context(), lastDay(t, odd))
		require.NoError(t, err)
		require.Equal(t, map[int]uint64{141: 1}, at(e.Neutral))
		require.Empty(t, at(e.Positive))
		require.Equal(t, 144, copied(t, db, e.SQL))
		u, err := c.Unclassified(t.Context(), lastDay(t, odd))
		require.NoError(t, err)
		require.Equal(t, odd, u.Types[0].Name)
		require.Equal(t, 1, copied(t, db, u.SQL))
	})

	t.Run("nothing", func(t *testing.T) {
		for _, f := range []Filter{lastDay(t, "nobody's"), {must(Between(time.Unix(0, 0), time.Unix(86400, 0))), ""}} {
			e, err := c.Events(t.Context(), f)
			require.NoError(t, err)
			require.NotEmpty(t, e.Times)
			require.Len(t, e.Positive, len(e.Times))
			require.Empty(t, at(e.Positive))
			require.Equal(t, len(e.Times), copied(t, db, e.SQL))
			v, err := c.Values(t.Context(), f)
			require.NoError(t, err)
			require.Empty(t, v.Currencies)
			types, err := c.Types(t.Context(), f)
			require.NoError(t, err)
			require.Empty(t, types.Types)
			u, err := c.Unclassified(t.Context(), f)
			require.NoError(t, err)
			require.Empty(t, u.Types)
			found, err := c.Conversations(t.Context(), f, Newest)
			require.NoError(t, err)
			require.Empty(t, found.Conversations)
		}
	})
}

func sum(steps []uint64) (sum uint64) {
	for _, n := range steps {
		sum += n
	}
	return sum
}

func names(types []UnclassifiedType) (names []string) {
	for _, u := range types {
		names = append(names, u.Name)
	}
	return names
}

func chats(c Conversations) (chats []string) {
	for _, conversation := range c.Conversations {
		chats = append(chats, conversation.ExternalID)
	}
	return chats
}

func must(r Range, err error) Range {
	if err != nil {
		panic(err)
	}
	return r
}
