package query

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace/pkg/warehouse"
)

// Client asks.
type Client struct {
	reader *warehouse.Reader
}

// New is an Insight into what the reader reads.
func New(reader *warehouse.Reader) *Client { return &Client{reader} }

// Filter says of what an answer is to be.
type Filter struct {
	Range
	Product string // "" is all of them
}

// parameters are a query's, by name.
type parameters map[string]string

// run returns the answer and what was asked.
func run[T any](ctx context.Context, c *Client, query string, p parameters) (rows []T, sql string, err error) {
	rows, err = warehouse.Select[T](ctx, c.reader, query, p)
	return rows, warehouse.InlineParameters(query, p), err
}

const dateTime = "DateTime64(3, 'UTC')"

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// timeCondition is a condition on the time in a column, and on the product.
func (f Filter) timeCondition(column string) string {
	condition := fmt.Sprintf("%s >= {from:%s} AND %[1]s < {until:%[2]s}", column, dateTime)
	if f.Product != "" {
		condition += " AND product_id = {product:String}"
	}
	return condition
}

// eventsInRange is where the events of the range come from. It is what the view outcomes reads, but for what it says of the sorting key, so
// that only the range is read: event_key_at is event_at, or 1970 where the message did not say when it happened.
func (f Filter) eventsInRange() string {
	return fmt.Sprintf(`events FINAL WHERE %s
    AND (event_key_at >= {from:%s} AND event_key_at < {until:%[2]s} OR event_key_at = toDateTime64(0, 3, 'UTC'))`, f.timeCondition("event_at"), dateTime)
}

// finalPerPartition keeps FINAL from comparing across partitions: rows that replace each other are in one.
const finalPerPartition = " SETTINGS do_not_merge_across_partitions_select_final = 1"

// uniqueEvents counts events as they arrive, each once however often it came. FINAL would read far more than what arrived, for received_at has
// no part in the sorting key. It is exact for thousands of events, and nearly so for more. An event whose first
// delivery was earlier counts until ClickHouse has merged its rows.
const uniqueEvents = "uniqCombined64(20)(product_id, event_key_at, insert_id)"

func (f Filter) parameters() parameters {
	return parameters{"from": formatTime(f.From), "until": formatTime(f.Until), "product": f.Product, "step": strconv.FormatInt(f.Step, 10)}
}

// byInfluence are the columns of Counts.
const byInfluence = `countIf(influence = 'negative') AS negative, countIf(influence = 'neutral') AS neutral, countIf(influence = 'positive') AS positive`

// Counts are events by influence.
type Counts struct {
	Negative uint64 `ch:"negative"`
	Neutral  uint64 `ch:"neutral"`
	Positive uint64 `ch:"positive"`
}

// byCurrency is a column of exact sums. Amounts of unlike currencies are never added.
const byCurrency = `sumMapIf(map(toString(currency), toDecimal256(assumeNotNull(value), 18)), value IS NOT NULL AND value_type = 'currency') AS value_by_currency`

// parametersWith is the parameters and one more.
func (f Filter) parametersWith(name string, n int) parameters {
	p := f.parameters()
	p[name] = strconv.Itoa(n)
	return p
}
