//go:build linux

package measure

import (
	"fmt"
	"io"
	"slices"
)

// BarChart shows bars in groups, each with a heading.
type BarChart struct {
	Title, Unit string
	Groups      []Group
}

// Group is bars that share a scale: the longest fills the width.
type Group struct {
	Title string
	Bars  []Bar
}

// Bar shows the median as a bar and the range from minimum to maximum as a line.
type Bar struct {
	Label string
	Value Summary
	Ours  bool // shown in colour
}

// GroupOf has a bar for each series with its summary of a quantity. Bars of the series named ours are coloured.
func GroupOf(title string, series []Series, quantity string, ours ...string) Group {
	g := Group{Title: title}
	for _, s := range series {
		g.Bars = append(g.Bars, Bar{Label: s.Name, Value: s.Of(quantity), Ours: slices.Contains(ours, s.Name)})
	}
	return g
}

// Sizes in pixels.
const (
	chartWidth = 860
	labelWidth = 250
	valueWidth = 190
	barWidth   = chartWidth - labelWidth - valueWidth
	rowHeight  = 22
	barHeight  = 14
)

func (c *BarChart) title() string { return c.Title }

func (c *BarChart) svg(w io.Writer) {
	height := headHeight
	for _, g := range c.Groups {
		height += (len(g.Bars) + 2) * rowHeight
	}
	svgChart(w, chartWidth, height, c.Title, func() {
		y := float64(headHeight)
		for _, g := range c.Groups {
			y += rowHeight
			svgText(w, 8, y-6, `font-weight="bold"`, g.Title)
			for _, b := range g.Bars {
				b.svg(w, y, g.maximum(), c.Unit)
				y += rowHeight
			}
			y += rowHeight
		}
	})
}

func (g *Group) maximum() float64 {
	most := 1e-9
	for _, b := range g.Bars {
		most = max(most, b.Value.Max)
	}
	return most
}

func (b *Bar) svg(w io.Writer, y, maximum float64, unit string) {
	width := func(v float64) float64 { return v / maximum * barWidth }
	colour := otherColour
	if b.Ours {
		colour = oursColour
	}
	svgText(w, labelWidth-8, y+barHeight-3, `text-anchor="end"`, b.Label)
	fmt.Fprintf(w, `<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>`+"\n",
		labelWidth, y, width(b.Value.Median), barHeight, colour)
	middle := y + barHeight/2
	svgLine(w, labelWidth+width(b.Value.Min), middle, labelWidth+width(b.Value.Max), middle, `stroke="black"`)
	svgText(w, labelWidth+barWidth+8, y+barHeight-3, "", Number(b.Value.Median)+" "+unit)
}
