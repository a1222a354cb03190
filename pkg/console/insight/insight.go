package insight

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
	return rows, warehouse.Filled(query, p), err
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
