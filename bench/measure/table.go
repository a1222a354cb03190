//go:build linux

package measure

import (
	"fmt"
	"io"
	"strings"
)

// Goal is a result that a comparison should reach.
type Goal struct {
	What    string
	Want    string
	Reached string
	Met     bool
}

// AtLeast is the goal that the median is at least want.
func AtLeast(what string, want float64, reached Summary) Goal {
	return Goal{What: what, Want: "at least " + Number(want), Reached: reached.String(), Met: reached.Median >= want}
}

// Table is rows of cells.
type Table struct {
	Title   string
	Columns []string
	Rows    [][]string
}

// Column is a column that is computed from several series.
type Column struct {
	Name string
	Cell func(Series) string
}

// TableOf has a row for each series and a column for each quantity that a series has, followed by the computed columns.
func TableOf(title string, series []Series, quantities []string, computed ...Column) Table {
	t := Table{Title: title, Columns: []string{""}}
	var measured []string
	for _, q := range quantities {
		for _, s := range series {
			if s.Of(q).N > 0 {
				measured = append(measured, q)
				break
			}
		}
	}
	t.Columns = append(t.Columns, measured...)
	for _, c := range computed {
		t.Columns = append(t.Columns, c.Name)
	}
	for _, s := range series {
		row := []string{s.Name}
		for _, q := range measured {
			row = append(row, s.Of(q).String())
		}
		for _, c := range computed {
			row = append(row, c.Cell(s))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func goalTable(goals []Goal) Table {
	t := Table{Columns: []string{"goal", "wanted", "reached", ""}}
	for _, g := range goals {
		met := "**missed**"
		if g.Met {
			met = "met"
		}
		t.Rows = append(t.Rows, []string{g.What, g.Want, g.Reached, met})
	}
	return t
}

// Markdown writes the table, with its title before it.
func (t *Table) Markdown(w io.Writer) {
	if t.Title != "" {
		fmt.Fprintf(w, "%s:\n\n", t.Title)
	}
	line := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.Columns)
	line(strings.Split(strings.Repeat("---,", len(t.Columns)-1)+"---", ","))
	for _, row := range t.Rows {
		line(row)
	}
}
