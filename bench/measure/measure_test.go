//go:build linux

package measure

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSummary(t *testing.T) {
	require.Equal(t, Summary{2, 1, 9, 3}, Summarize(9, 1, 2))
	require.Equal(t, Summary{1.5, 1, 2, 2}, Summarize(2, 1))
	require.Equal(t, "–", Summarize().String())
	require.Equal(t, "1.50 (1.00–2.00)", Summarize(1, 2).String())
	for v, want := range map[float64]string{
		0: "0", 1234567: "1,234,567", 999.6: "1,000", 100: "100", 99.94: "99.9", 0.01234: "0.0123",
		-1234: "-1,234", -12: "-12.0",
	} {
		require.Equal(t, want, Number(v))
	}
}

func TestRounds_Contenders_Alternate(t *testing.T) {
	var order []string
	contender := func(name string, v float64) Contender {
		return Contender{name, func(context.Context) (Values, error) {
			order = append(order, name)
			return Values{"q": v * float64(len(order))}, nil
		}}
	}
	all, err := Rounds(t.Context(), io.Discard, 2, []Contender{contender("a", 10), contender("b", 1)})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "a", "b"}, order)
	require.Equal(t, Summarize(10, 30), all[0].Of("q"))
	require.Equal(t, Summarize(5, 7.5), all[0].Ratio(all[1], "q"))

	broken := errors.New("broken")
	fails := func(context.Context) (Values, error) { return nil, broken }
	_, err = Rounds(t.Context(), io.Discard, 2, []Contender{{"c", fails}})
	require.ErrorIs(t, err, broken)
}

// The usage includes that of a child's child, while it runs and after its end.
func TestUsage_Descendants_AreIncluded(t *testing.T) {
	const script = `sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; echo done; sleep 1000`
	p, err := Program{Name: "sh", Path: "/bin/sh", Args: []string{"-c", script}, Dir: t.TempDir()}.Start()
	require.NoError(t, err)
	defer p.Stop()
	require.Eventually(t, func() bool {
		u, err := p.Usage()
		return err == nil && u.CPU >= 50*time.Millisecond && u.PeakBytes > 100<<10
	}, time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		return p.Output() == "done"
	}, time.Minute, 10*time.Millisecond)
	u, err := p.Usage()
	require.NoError(t, err)
	require.GreaterOrEqual(t, u.CPU, 50*time.Millisecond)
}

func TestProcess_Await(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	p, err := Program{Name: "sleep", Path: "/bin/sleep", Args: []string{"1000"}, Dir: t.TempDir()}.Start()
	require.NoError(t, err)
	require.NoError(t, p.AwaitPort(t.Context(), l.Addr().String()))
	p.Stop()
	p, err = Program{Name: "sh", Path: "/bin/sh", Args: []string{"-c", "echo end of log"}, Dir: t.TempDir()}.Start()
	require.NoError(t, err)
	require.ErrorContains(t, p.AwaitOK(t.Context(), "http://127.0.0.1:1/"), "end of log")
}

func TestReport(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	s := Section{
		Name: "edge", Title: "The edge", Command: "make bench", Machine: ThisMachine(),
		Goals:  []Goal{{"speed", "5", "4", false}},
		Tables: []Table{{Columns: []string{"a", "b"}, Rows: [][]string{{"1", "2"}}}},
		BarCharts: []BarChart{{"speed & more", "events/s", []Group{
			{"<single>", []Bar{{"us", Summarize(1, 2, 3), true}, {"them", Summarize(1), false}}},
		}}},
		Raw: map[string][]Series{"single": {{"us", []Values{{"q": 1}}}}},
	}
	require.NotEmpty(t, s.Machine.Commit)
	require.Positive(t, s.Machine.MemoryGiB)
	require.NoError(t, s.Save(dir))
	require.NoError(t, Assemble(dir, to, []string{"absent", "edge"}))
	text, err := os.ReadFile(filepath.Join(to, "REPORT.md"))
	require.NoError(t, err)
	require.Contains(t, string(text), "| speed | 5 | 4 | **missed** |")
	require.Contains(t, string(text), "| a | b |\n| --- | --- |\n| 1 | 2 |\n")
	require.Contains(t, string(text), "](plots/edge-1.svg)")
	svg, err := os.ReadFile(filepath.Join(to, "plots", "edge-1.svg"))
	require.NoError(t, err)
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
}

func TestTableOf_UnmeasuredQuantities_AreLeftOut(t *testing.T) {
	series := []Series{{"a", []Values{{"x": 1}, {"x": 3}}}, {"b", []Values{{"x": 4, "y": 5}}}}
	table := TableOf("title", series, []string{"x", "y", "z"}, Column{"over a", func(s Series) string {
		return s.Ratio(series[0], "x").String()
	}})
	require.Equal(t, Table{
		Title: "title", Columns: []string{"", "x", "y", "over a"},
		Rows: [][]string{{"a", "2.00 (1.00–3.00)", "–", "1.00 (1.00–1.00)"}, {"b", "4.00", "5.00", "4.00"}},
	}, table)
	require.True(t, AtLeast("", 2, Summarize(2)).Met)
	require.False(t, AtLeast("", 2, Summarize(1.9)).Met)
}
