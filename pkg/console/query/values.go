package query

import (
	"context"
	"time"

	"github.com/shopspring/decimal"
)

// maxCurrencies are drawn at most.
const maxCurrencies = 6

// Values are amounts for each step, by currency.
type Values struct {
	Times      []int64 // when each step begins, in Unix seconds
	Currencies []Currency
	Others     uint64 // currencies that are left out
	SQL        string
}

// Currency is one of a Values' series: ” is that of amounts whose message named none.
type Currency struct {
	Code    string
	Amounts uint64            // how many
	Total   decimal.Decimal   // of all steps
	Sums    []decimal.Decimal // of each step, exactly
	Points  []float64         // the same, to be drawn
}

// Values are the amounts of the events that happened in the range, summed for each step. Amounts of unlike currencies cannot be
// compared, so the currencies that are shown are those with the most amounts.
func (c *Client) Values(ctx context.Context, f Filter) (Values, error) {
	rows, sql, err := run[struct {
		Code       string            `ch:"currency"`
		Amounts    uint64            `ch:"amounts"`
		Total      decimal.Decimal   `ch:"total"`
		At         []time.Time       `ch:"times"`
		Sums       []decimal.Decimal `ch:"sums"`
		Currencies uint64            `ch:"currencies"`
	}](ctx, c, `SELECT currency, sum(n) AS amounts, sum(amount) AS total, groupArray(at) AS times, groupArray(amount) AS sums, count() OVER () AS currencies
FROM (
    SELECT currency, `+stepStart+`, count() AS n, sum(toDecimal256(assumeNotNull(value), 18)) AS amount
    FROM `+f.eventsInRange()+` AND value_type = 'currency' AND value IS NOT NULL
    GROUP BY currency, at ORDER BY currency, at
)
GROUP BY currency ORDER BY amounts DESC, currency LIMIT {currencies:UInt8}`+finalPerPartition, f.parametersWith("currencies", maxCurrencies))
	v := Values{Times: f.times(), SQL: sql}
	for _, row := range rows {
		c := Currency{row.Code, row.Amounts, row.Total, make([]decimal.Decimal, len(v.Times)), make([]float64, len(v.Times))}
		for n, sum := range row.Sums {
			at := f.stepIndex(row.At[n])
			c.Sums[at], c.Points[at] = sum, sum.InexactFloat64()
		}
		v.Currencies = append(v.Currencies, c)
		v.Others = row.Currencies - uint64(len(rows))
	}
	return v, err
}
