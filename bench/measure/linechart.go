//go:build linux

package measure

import (
	"fmt"
	"io"
)

// LineChart shows how quantities change while one thing grows, in panels side by side with the same horizontal axis.
type LineChart struct {
	Title  string
	At     []string // labels of the points, in ascending order
	Panels []Panel
}

// Panel is lines with one unit, on a scale from 0.
type Panel struct {
	Unit  string
	Lines []Line
}

// Line has a value for each point.
type Line struct {
	Label  string
	Values []float64
}

// LineOf has the median of a quantity for each series.
func LineOf(label string, series []Series, quantity string) Line {
	l := Line{Label: label}
	for _, s := range series {
		l.Values = append(l.Values, s.Of(quantity).Median)
	}
	return l
}

// Sizes in pixels.
const (
	panelWidth  = 286
	panelHeight = 150
	panelMargin = 46 // left and right, for the labels of the first and the last point
	panelTop    = 62
	panelBottom = panelTop + panelHeight
)

var lineColours = []string{oursColour, "#d1791b", "#2f8f4e", "#8b4fbf"}

func (c *LineChart) title() string { return c.Title }

func (c *LineChart) svg(w io.Writer) {
	svgChart(w, panelWidth*len(c.Panels), panelBottom+28, c.Title, func() {
		for i := range c.Panels {
			c.panel(w, float64(i*panelWidth), &c.Panels[i])
		}
	})
}

// panel draws points at equal distances, since what grows grows by factors.
func (c *LineChart) panel(w io.Writer, left float64, p *Panel) {
	distance := float64(panelWidth-2*panelMargin) / float64(max(1, len(c.At)-1))
	x := func(i int) float64 { return left + panelMargin + float64(i)*distance }
	maximum := p.maximum()
	y := func(v float64) float64 { return panelTop + panelHeight*(1-v/maximum) }
	svgText(w, left+8, panelTop-32, `fill="#57606a"`, p.Unit)
	svgLine(w, left+panelMargin/2, panelBottom, left+panelWidth-panelMargin/2, panelBottom, `stroke="`+otherColour+`"`)
	for i, at := range c.At {
		svgText(w, x(i), panelBottom+16, `text-anchor="middle"`, at)
	}
	for i, line := range p.Lines {
		colour := lineColours[i%len(lineColours)]
		labelX := left + 8 + float64(i*panelWidth/len(p.Lines))
		svgText(w, labelX, panelTop-18, `font-weight="bold" fill="`+colour+`"`, line.Label)
		for j, v := range line.Values {
			if j > 0 {
				svgLine(w, x(j-1), y(line.Values[j-1]), x(j), y(v), `stroke-width="2" stroke="`+colour+`"`)
			}
			fmt.Fprintf(w, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x(j), y(v), colour)
			svgText(w, x(j), y(v)-7, `text-anchor="middle"`, Number(v))
		}
	}
}

func (p *Panel) maximum() float64 {
	most := 1e-9
	for _, line := range p.Lines {
		for _, v := range line.Values {
			most = max(most, v)
		}
	}
	return most
}
