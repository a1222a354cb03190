package console

import (
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// outcome looks for the events in the plots: what is drawn, the table, and what ClickHouse says to the SQL that is
// there to be copied.
func outcome(p *page, m *millrace, s source) {
	p.t.Helper()
	p.click(named("link", "Outcomes"))
	p.fill(css("#r-product"), s.product)
	p.click(named("button", "Show"))
	p.sees("1 positive, 0 neutral, 0 negative.")
	require.EqualValues(p.t, 1, p.plotted("events", "positive"))
	require.EqualValues(p.t, 1234.5, p.plotted("value", "EUR"))
	require.Positive(p.t, p.inked("events", "--positive-line"), "a canvas without a bar on it")
	require.Zero(p.t, p.inked("events", "--negative-line"))
	require.Positive(p.t, p.inked("value", "--series-0"), "a canvas without a line on it")

	p.click(css("#h-events ~ details.data summary"))
	p.seesIn(css("#h-events ~ details.data"), "1 0 0")
	require.Equal(p.t, "0\t0\t1", total(p, m, "events"), "negative, neutral, positive")
	require.Equal(p.t, "1234.5", strings.Trim(strings.Split(m.ask(p.t, p.sql("types")), "\t")[5], "{}'EUR:"))
}

// plotted is the sum of what is drawn of a series.
func (p *page) plotted(chart, label string) float64 {
	p.t.Helper()
	return evaluate[float64](p, `JSON.parse(document.getElementById("data-`+chart+`").textContent).series.
		filter(s => s.label === "`+label+`").flatMap(s => s.points).reduce((sum, point) => sum + point, 0)`)
}

// inked is how many pixels of a plot have a color, by its name in the style sheet, or nearly.
func (p *page) inked(chart, color string) int64 {
	p.t.Helper()
	return evaluate[int64](p, `(() => {
		const canvas = document.querySelector('figure[data-chart="`+chart+`"] canvas')
		const hex = getComputedStyle(document.documentElement).getPropertyValue("`+color+`").trim()
		const want = [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16))
		const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
		let found = 0
		for (let i = 0; i < data.length; i += 4) {
			if (data[i + 3] > 200 && want.every((c, n) => Math.abs(c - data[i + n]) < 8)) found++
		}
		return found
	})()`)
}

// sql is what the button beside a question copies.
func (p *page) sql(id string) string {
	p.t.Helper()
	p.click(css(`details.sql:has(#sql-` + id + `) summary`))
	p.click(css(`[data-copies="sql-` + id + `"]`))
	p.seesIn(css(`[data-copies="sql-`+id+`"]`), "Copied")
	return p.clipboard()
}

// total adds up the columns of what a question finds but the first, which is the time.
func total(p *page, m *millrace, id string) string {
	p.t.Helper()
	var sums []int
	for line := range strings.SplitSeq(m.ask(p.t, p.sql(id)), "\n") {
		cells := strings.Split(line, "\t")[1:]
		sums = append(sums, make([]int, max(0, len(cells)-len(sums)))...)
		for n, cell := range cells {
			count, err := strconv.Atoi(cell)
			require.NoError(p.t, err)
			sums[n] += count
		}
	}
	texts := make([]string, len(sums))
	for n, sum := range sums {
		texts[n] = strconv.Itoa(sum)
	}
	return strings.Join(texts, "\t")
}
