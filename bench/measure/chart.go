//go:build linux

package measure

import (
	"fmt"
	"html"
	"io"
	"slices"
)

// Chart shows bars, in groups that each have a heading.
type Chart struct {
	Title, Unit string
	Groups      []Group
}

// Group is some bars that are to be compared with each other.
type Group struct {
	Title string
	Bars  []Bar
}

// Bar is one of them.
type Bar struct {
	Label string
	Value Spread
	Ours  bool // is shown in colour
}

// What a chart looks like, in pixels.
const (
	chartWidth = 860
	labelWidth = 250
	valueWidth = 190
	barWidth   = chartWidth - labelWidth - valueWidth
	rowHeight  = 22
	barHeight  = 14
	headHeight = 34
)

// svg writes the chart. Each group has a scale of its own: its longest bar fills the width.
func (c *Chart) svg(w io.Writer) {
	height := headHeight
	for _, g := range c.Groups {
		height += (len(g.Bars) + 2) * rowHeight
	}
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, height)
	fmt.Fprintf(w, `<rect width="100%%" height="100%%" fill="white"/><text x="8" y="22" font-size="15" font-weight="bold">%s</text>`+"\n", html.EscapeString(c.Title))
	y := headHeight
	for _, g := range c.Groups {
		y += rowHeight
		fmt.Fprintf(w, `<text x="8" y="%d" font-weight="bold">%s</text>`+"\n", y-6, html.EscapeString(g.Title))
		for _, b := range g.Bars {
			b.svg(w, y, g.most(), c.Unit)
			y += rowHeight
		}
		y += rowHeight
	}
	fmt.Fprintln(w, "</svg>")
}

func (g *Group) most() float64 {
	widest := slices.MaxFunc(g.Bars, func(a, b Bar) int { return int(a.Value.Max - b.Value.Max) })
	return max(widest.Value.Max, 1e-9)
}

// svg draws the median as a bar and the spread as a line over it.
func (b *Bar) svg(w io.Writer, y int, most float64, unit string) {
	at := func(v float64) float64 { return labelWidth + v/most*barWidth }
	colour := "#9aa5b1"
	if b.Ours {
		colour = "#1f6feb"
	}
	middle := y + barHeight/2
	fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-8, y+barHeight-3, html.EscapeString(b.Label))
	fmt.Fprintf(w, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, labelWidth, y, at(b.Value.Median)-labelWidth, barHeight, colour)
	fmt.Fprintf(w, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="black"/>`, at(b.Value.Min), at(b.Value.Max), middle, middle)
	fmt.Fprintf(w, `<text x="%d" y="%d">%s %s</text>`+"\n", labelWidth+barWidth+8, y+barHeight-3, Number(b.Value.Median), html.EscapeString(unit))
}
