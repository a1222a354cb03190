package console

import (
	"maps"
	"net/url"
	"strconv"
	"time"

	"github.com/millrace/millrace/pkg/console/query"
)

// rangeForm is the part of a page that selects time and product.
type rangeForm struct {
	path     string
	Preset   string // empty for a custom range
	Presets  []query.Preset
	Products []string // suggestions
	chosen   url.Values
	within   query.Range
}

func newRangeForm(path string, chosen url.Values, within query.Range, preset string) rangeForm {
	return rangeForm{path: path, Preset: preset, Presets: query.Presets, chosen: chosen, within: within}
}

// From returns the start of the range as a datetime-local value.
func (s *rangeForm) From() string { return s.within.From.Format("2006-01-02T15:04") }

// Until returns the end of the range as a datetime-local value.
func (s *rangeForm) Until() string { return s.within.Until.Format("2006-01-02T15:04") }

// Link returns a link to the same page with one parameter changed. A paged list starts at its first page.
func (s *rangeForm) Link(name, value string) string {
	q := maps.Clone(s.chosen)
	if q == nil {
		q = url.Values{}
	}
	for _, gone := range []string{"after", "topic", "partition", "offset"} {
		q.Del(gone)
	}
	if name == "range" {
		q.Del("from")
		q.Del("until")
	}
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	return s.path + "?" + q.Encode()
}

// hiddenField is a parameter that the form keeps without a visible field.
type hiddenField struct{ Name, Value string }

// HiddenFields returns such parameters.
func (s *rangeForm) HiddenFields() (kept []hiddenField) {
	if s.Preset != "" {
		kept = append(kept, hiddenField{"range", s.Preset})
	}
	for _, name := range []string{"reason", "connection", "order"} {
		if value := s.chosen.Get(name); value != "" {
			kept = append(kept, hiddenField{name, value})
		}
	}
	return kept
}

// chart is a chart: data for the script, the same as a table, and its SQL.
type chart struct {
	ID, Title, Summary, SQL string
	Data                    plot
}

// plot is the data for the script. Each series has one point per time.
type plot struct {
	Times  []int64  `json:"times"` // Unix seconds
	Kind   string   `json:"kind"`  // "bars" or "line"
	Series []series `json:"series"`
}

type series struct {
	Label  string    `json:"label"`
	Role   string    `json:"role"` // selects the color: positive, neutral, negative, or a number
	Points []float64 `json:"points"`
	exact  []string  // table cells, if the points are rounded
}

// row is a row of the chart's table.
type row struct {
	At    string
	Cells []string
}

// Rows returns a row for each time with a value.
func (c chart) Rows() (rows []row) {
	for n, t := range c.Data.Times {
		r, nonZero := row{At: time.Unix(t, 0).UTC().Format("2006-01-02 15:04:05")}, false
		for _, s := range c.Data.Series {
			nonZero = nonZero || s.Points[n] != 0
			text := strconv.FormatFloat(s.Points[n], 'f', -1, 64)
			if s.exact != nil {
				text = s.exact[n]
			}
			r.Cells = append(r.Cells, text)
		}
		if nonZero {
			rows = append(rows, r)
		}
	}
	return rows
}

func floats(counts []uint64) []float64 {
	points := make([]float64, len(counts))
	for n, count := range counts {
		points[n] = float64(count)
	}
	return points
}

// chartsOf returns the page's charts by name.
func chartsOf(e *query.Events, v *query.Values, f *query.Freshness) map[string]chart {
	events := chart{
		ID:    "events",
		Title: "Events by influence",
		SQL:   e.SQL,
		Data: plot{Times: e.Times, Kind: "bars", Series: []series{
			{Label: "positive", Role: "positive", Points: floats(e.Positive)},
			{Label: "neutral", Role: "neutral", Points: floats(e.Neutral)},
			{Label: "negative", Role: "negative", Points: floats(e.Negative)},
		}},
	}
	events.Summary = "Events by event time: " + count(
		sum(e.Positive),
	) + " positive, " + count(
		sum(e.Neutral),
	) + " neutral, " + count(
		sum(e.Negative),
	) + " negative."
	value := chart{ID: "value", Title: "Value by currency", SQL: v.SQL, Data: plot{Times: v.Times, Kind: "line"}}
	value.Summary = "Amounts by event time. Currencies are not added together."
	for n, c := range v.Currencies {
		label := c.Code
		if label == "" {
			label = "no currency"
		}
		s := series{Label: label, Role: strconv.Itoa(n), Points: c.Points}
		for _, sum := range c.Sums {
			s.exact = append(s.exact, sum.String())
		}
		value.Data.Series = append(value.Data.Series, s)
		value.Summary += " " + label + ": " + c.Total.String() + "."
	}
	if v.Others > 0 {
		value.Summary += " " + plural(int(v.Others), "more currency") + ", not shown."
	}
	if len(v.Currencies) == 0 {
		value.Summary = "No amounts in this period."
	}
	received := chart{
		ID:      "received",
		Title:   "Received per minute",
		SQL:     f.SQL,
		Summary: "Events received in the last hour: " + count(sum(f.Events)) + ".",
		Data: plot{
			Times:  f.Times,
			Kind:   "bars",
			Series: []series{{Label: "events", Role: "0", Points: floats(f.Events)}},
		},
	}
	all := map[string]chart{}
	for _, c := range []chart{events, value, received} {
		all[c.ID] = c
	}
	return all
}

func sum(counts []uint64) (all uint64) {
	for _, n := range counts {
		all += n
	}
	return all
}
