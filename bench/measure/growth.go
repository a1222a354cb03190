//go:build linux

package measure

import (
	"fmt"
	"html"
	"io"
	"math"
)

// Growth shows what becomes of some quantities as one thing grows: panels side by side that share it. Flat is what one
// hopes for.
type Growth struct {
	Title  string
	At     []string // what grows, from the least
	Panels []Panel
}

// Panel is some lines with one unit, from 0 up.
type Panel struct {
	Unit  string
	Lines []Line
}

// Line has a value for each point.
type Line struct {
	Label  string
	Values []float64
}

// What it looks like, in pixels.
const (
	panelWidth   = 286
	panelHeight  = 150
	panelMargin  = 46 // left and right, for the labels of the first and the last point
	panelTop     = 62
	growthHeight = panelTop + panelHeight + 28
)

var lineColours = []string{"#1f6feb", "#d1791b", "#2f8f4e", "#8b4fbf"}

// svg writes it. Points are at equal distances, since what grows grows by factors.
func (g *Growth) svg(w io.Writer) {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", panelWidth*len(g.Panels), growthHeight)
	fmt.Fprintf(w, `<rect width="100%%" height="100%%" fill="white"/><text x="8" y="20" font-size="15" font-weight="bold">%s</text>`+"\n", html.EscapeString(g.Title))
	for i := range g.Panels {
		g.panel(w, i*panelWidth, &g.Panels[i])
	}
	fmt.Fprintln(w, "</svg>")
}

func (g *Growth) panel(w io.Writer, left int, p *Panel) {
	x := func(i int) float64 {
		return float64(left+panelMargin) + float64(i)*float64(panelWidth-2*panelMargin)/float64(max(1, len(g.At)-1))
	}
	most := p.most()
	y := func(v float64) float64 { return panelTop + panelHeight*(1-v/most) }
	fmt.Fprintf(w, `<line x1="%d" x2="%d" y1="%g" y2="%g" stroke="#9aa5b1"/>`, left+panelMargin/2, left+panelWidth-panelMargin/2, y(0), y(0))
	for i, at := range g.At {
		fmt.Fprintf(w, `<text x="%.1f" y="%g" text-anchor="middle">%s</text>`, x(i), y(0)+16, html.EscapeString(at))
	}
	for i, line := range p.Lines {
		colour := lineColours[i%len(lineColours)]
		fmt.Fprintf(w, `<text x="%d" y="%d" fill="%s" font-weight="bold">%s</text>`, left+8+i*panelWidth/len(p.Lines), panelTop-22, colour, html.EscapeString(line.Label))
		for j, v := range line.Values {
			if j > 0 {
				fmt.Fprintf(w, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="2"/>`, x(j-1), y(line.Values[j-1]), x(j), y(v), colour)
			}
			fmt.Fprintf(w, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/><text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x(j), y(v), colour, x(j), y(v)-7, Number(v))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, `<text x="%d" y="%d" fill="#57606a">%s</text>`+"\n", left+8, panelTop-36+4, html.EscapeString(p.Unit))
}

func (p *Panel) most() float64 {
	most := 1e-9
	for _, line := range p.Lines {
		for _, v := range line.Values {
			most = math.Max(most, v)
		}
	}
	return most
}
