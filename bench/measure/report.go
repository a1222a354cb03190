//go:build linux

package measure

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Assemble makes REPORT.md and plots of the sections saved in dir, in the order named, and puts them into the folder to,
// the plots into its folder plots. A section that is not there is left out.
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
		if err := s.savePlots(filepath.Join(to, plotsDir)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(to, "REPORT.md"), []byte(text.String()), 0o644)
}

const plotsDir = "plots"

const head = `# Measured

Medians of rounds in turns, the least and the most in brackets. A ratio is the median of each round's own. Everything runs on the one
machine, the load generator too, so compare the columns of a table and not with other machines. Made by ` + "`make bench`" + `; see
[README.md](README.md).
`

func (s *Section) savePlots(dir string) error {
	var plots []interface{ svg(io.Writer) }
	for i := range s.Charts {
		plots = append(plots, &s.Charts[i])
	}
	for i := range s.Growth {
		plots = append(plots, &s.Growth[i])
	}
	for i, plot := range plots {
		var text bytes.Buffer
		plot.svg(&text)
		if err := os.WriteFile(filepath.Join(dir, s.plot(i)), text.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write a plot of %s: %w", s.Name, err)
		}
	}
	return nil
}
