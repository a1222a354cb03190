//go:build linux

package measure

import (
	"fmt"
	"html"
	"io"
)

const (
	headHeight  = 34
	oursColour  = "#1f6feb"
	otherColour = "#9aa5b1"
)

// svgChart writes an image of the given size in pixels, with a title. draw writes what is below the title.
func svgChart(w io.Writer, width, height int, title string, draw func()) {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`,
		width, height)
	fmt.Fprintln(w, `<rect width="100%" height="100%" fill="white"/>`)
	fmt.Fprintf(w, `<text x="8" y="22" font-size="15" font-weight="bold">%s</text>`+"\n", html.EscapeString(title))
	draw()
	fmt.Fprintln(w, "</svg>")
}

// svgText writes a text at x and y. attributes are more attributes of the element.
func svgText(w io.Writer, x, y float64, attributes, text string) {
	fmt.Fprintf(w, `<text x="%.1f" y="%.1f" %s>%s</text>`+"\n", x, y, attributes, html.EscapeString(text))
}

func svgLine(w io.Writer, x1, y1, x2, y2 float64, attributes string) {
	fmt.Fprintf(w, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>`+"\n", x1, y1, x2, y2, attributes)
}
