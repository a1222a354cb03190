package query

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace/pkg/warehouse"
)

// Client runs the queries.
type Client struct {
	reader *warehouse.Reader
}

// New returns a Client.
func New(reader *warehouse.Reader) *Client { return &Client{reader} }

// Filter selects a time range and a product.
type Filter struct {
	Range
	Product string // empty means all
}

// parameters are a query's parameters by name.
type parameters map[string]string

// run runs a query. sql is the query with its parameters filled in.
func run[T any](ctx context.Context, c *Client, query string, p parameters) (rows []T, sql string, err error) {
	rows, err = warehouse.Select[T](ctx, c.reader, query, p)
	return rows, warehouse.InlineParameters(query, p), err
}

const dateTime = "DateTime64(3, 'UTC')"

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// timeCondition returns a condition on the time in a column, and on the product.
func (f Filter) timeCondition(column string) string {
	condition := fmt.Sprintf("%s >= {from:%s} AND %[1]s < {until:%[2]s}", column, dateTime)
	if f.Product != "" {
		condition += " AND product_id = {product:String}"
	}
	return condition
}

// eventsInRange returns the table and condition for events of the range. It matches the view outcomes, with a condition
// on the sorting key to read only the range: event_key_at is event_at, or 1970 if the message has no time.
func (f Filter) eventsInRange() string {
	return fmt.Sprintf(`events FINAL WHERE %s
    AND (event_key_at >= {from:%s} AND event_key_at < {until:%[2]s} OR event_key_at = toDateTime64(0, 3, 'UTC'))`, f.timeCondition("event_at"), dateTime)
}

// finalPerPartition limits FINAL to one partition at a time: duplicates are always in the same partition.
const finalPerPartition = " SETTINGS do_not_merge_across_partitions_select_final = 1"

// uniqueEvents counts arriving events without duplicates. FINAL would read far more rows, because received_at is not in
// the sorting key. The count is exact for thousands of events, and approximate above. An event delivered before the
// range counts until ClickHouse merges its rows.
const uniqueEvents = "uniqCombined64(20)(product_id, event_key_at, insert_id)"

func (f Filter) parameters() parameters {
	return parameters{
		"from":    formatTime(f.From),
		"until":   formatTime(f.Until),
		"product": f.Product,
		"step":    strconv.FormatInt(f.Step, 10),
	}
}

// byInfluence selects the columns of Counts.
const byInfluence = `countIf(influence = 'negative') AS negative, countIf(influence = 'neutral') AS neutral, countIf(influence = 'positive') AS positive`

// Counts are numbers of events by influence.
type Counts struct {
	Negative uint64 `ch:"negative"`
	Neutral  uint64 `ch:"neutral"`
	Positive uint64 `ch:"positive"`
}

// byCurrency selects exact sums by currency. Amounts in different currencies are never added.
const byCurrency = `sumMapIf(map(toString(currency), toDecimal256(assumeNotNull(value), 18)), value IS NOT NULL AND value_type = 'currency') AS value_by_currency`

// parametersWith returns the filter's parameters and one more.
func (f Filter) parametersWith(name string, n int) parameters {
	p := f.parameters()
	p[name] = strconv.Itoa(n)
	return p
}
