//go:build linux

package measure

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The image is well-formed, has every point, and the maximum is at the top.
func TestLineChart_SVG(t *testing.T) {
	g := LineChart{Title: "a < b", At: []string{"1", "10", "100"}, Panels: []Panel{
		{Unit: "events/s", Lines: []Line{{"loader", []float64{100, 50, 0}}}},
		{Unit: "MiB", Lines: []Line{{"loader", []float64{1, 2, 3}}, {"ClickHouse", []float64{7, 8, 9}}}},
	}}
	var text strings.Builder
	g.svg(&text)
	circles := 0
	for d := xml.NewDecoder(strings.NewReader(text.String())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "circle" {
			circles++
		}
	}
	require.Equal(t, 9, circles)
	require.Contains(t, text.String(), `<circle cx="46.0" cy="62.0"`)
	require.Contains(t, text.String(), `<circle cx="240.0" cy="212.0"`)
}

func TestReport_BothKindsOfCharts_AreWritten(t *testing.T) {
	dir := t.TempDir()
	s := Section{
		Name: "grows", Title: "How it grows",
		BarCharts:  []BarChart{{Title: "bars", Groups: []Group{{Title: "g", Bars: []Bar{{Label: "b"}}}}}},
		LineCharts: []LineChart{{Title: "lines", At: []string{"1"}}},
	}
	require.NoError(t, s.Save(dir))
	require.NoError(t, Assemble(dir, dir, []string{"grows"}))
	require.FileExists(t, dir+"/plots/grows-1.svg")
	require.FileExists(t, dir+"/plots/grows-2.svg")
}
