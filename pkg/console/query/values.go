package query

import (
	"context"
	"time"

	"github.com/shopspring/decimal"
)

// maxCurrencies limits the drawn currencies.
const maxCurrencies = 6

// Values has sums per step and currency.
type Values struct {
	Times      []int64 // start of each step in Unix seconds
	Currencies []Currency
	Others     uint64 // currencies beyond maxCurrencies
	SQL        string
}

// Currency is a series of Values. Code is empty for amounts without a currency.
type Currency struct {
	Code    string
	Amounts uint64            // number of amounts
	Total   decimal.Decimal   // of all steps
	Sums    []decimal.Decimal // exact sum of each step
	Points  []float64         // Sums as float64, for the chart
}

// Values returns the sums of the range by step and currency. Amounts in different currencies are not comparable, so it
// selects the currencies with the most amounts.
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
		c := Currency{
			row.Code,
			row.Amounts,
			row.Total,
			make([]decimal.Decimal, len(v.Times)),
			make([]float64, len(v.Times)),
		}
		for n, sum := range row.Sums {
			at := f.stepIndex(row.At[n])
			c.Sums[at], c.Points[at] = sum, sum.InexactFloat64()
		}
		v.Currencies = append(v.Currencies, c)
		v.Others = row.Currencies - uint64(len(rows))
	}
	return v, err
}
