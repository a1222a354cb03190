package query

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace/pkg/warehouse"
)

// Insight asks.
type Insight struct {
	reader *warehouse.Reader
}

// New is an Insight into what the reader reads.
func New(reader *warehouse.Reader) *Insight { return &Insight{reader} }

// Filter says of what an answer is to be.
type Filter struct {
	Range
	Product string // "" is all of them
}

// parameters are a query's, by name.
type parameters map[string]string

// ask returns the answer and what was asked.
func ask[T any](ctx context.Context, i *Insight, query string, p parameters) (rows []T, sql string, err error) {
	rows, err = warehouse.Select[T](ctx, i.reader, query, p)
	return rows, warehouse.InlineParameters(query, p), err
}

const moment = "DateTime64(3, 'UTC')"

func text(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// within is a condition on the time in a column, and on the product.
func (f Filter) within(column string) string {
	condition := fmt.Sprintf("%s >= {from:%s} AND %[1]s < {until:%[2]s}", column, moment)
	if f.Product != "" {
		condition += " AND product_id = {product:String}"
	}
	return condition
}

// happened is where the events of the range come from. It is what the view outcomes reads, but for what it says of the sorting key, so
// that only the range is read: event_key_at is event_at, or 1970 where the message did not say when it happened.
func (f Filter) happened() string {
	return fmt.Sprintf(`events FINAL WHERE %s
    AND (event_key_at >= {from:%s} AND event_key_at < {until:%[2]s} OR event_key_at = toDateTime64(0, 3, 'UTC'))`, f.within("event_at"), moment)
}

// once keeps FINAL from comparing across partitions: rows that replace each other are in one.
const once = " SETTINGS do_not_merge_across_partitions_select_final = 1"

// arrived counts events as they arrive, each once however often it came. FINAL would read far more than what arrived, for received_at has
// no part in the sorting key. It is exact for thousands of events, and nearly so for more. An event whose first
// delivery was earlier counts until ClickHouse has merged its rows.
const arrived = "uniqCombined64(20)(product_id, event_key_at, insert_id)"

func (f Filter) parameters() parameters {
	return parameters{"from": text(f.From), "until": text(f.Until), "product": f.Product, "step": strconv.FormatInt(f.Step, 10)}
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

// with is the parameters and one more.
func (f Filter) with(name string, n int) parameters {
	p := f.parameters()
	p[name] = strconv.Itoa(n)
	return p
}
