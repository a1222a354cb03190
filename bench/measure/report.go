//go:build linux

package measure

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Assemble writes REPORT.md and the folder plots to the folder named to, from the sections that Save wrote to dir, in
// the given order. It leaves out sections that do not exist.
func Assemble(dir, to string, names []string) error {
	var text strings.Builder
	text.WriteString(head)
	if err := os.MkdirAll(filepath.Join(to, plotsDir), 0o755); err != nil {
		return err
	}
	for _, name := range names {
		s, err := loadSection(filepath.Join(dir, name+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		s.markdown(&text, plotsDir)
		if err := s.saveCharts(filepath.Join(to, plotsDir)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(to, "REPORT.md"), []byte(text.String()), 0o644)
}

const plotsDir = "plots"

const head = `# Measured

Medians of alternating rounds, with minimum and maximum in brackets. A ratio is the median of the rounds' ratios.
Everything runs on one machine, the load generator too: compare the columns of a table, not different machines.
` + "`make bench`" + ` writes this file; see [README.md](README.md).
`

func (s *Section) saveCharts(dir string) error {
	for i, c := range s.charts() {
		var text bytes.Buffer
		c.svg(&text)
		if err := os.WriteFile(filepath.Join(dir, s.chartFile(i)), text.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write a chart of %s: %w", s.Name, err)
		}
	}
	return nil
}
