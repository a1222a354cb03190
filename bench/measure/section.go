//go:build linux

package measure

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Section is one comparison's part of the report.
type Section struct {
	Name    string // of its files
	Title   string
	Command string // that makes it
	Machine Machine
	Text    []string // paragraphs before the tables: what was compared, and how
	Goals   []Goal
	Tables  []Table
	Charts  []Chart
	Growth  []Growth // after the charts
	Notes   []string // after them: settings, what was left out and why
	Raw     map[string][]Series
}

// Goal is something that was to be reached.
type Goal struct {
	What    string
	Want    string
	Reached string
	Met     bool
}

// Table is rows of cells.
type Table struct {
	Title   string
	Columns []string
	Rows    [][]string
}

// Save writes the section to dir, from where Assemble takes it.
func (s *Section) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("write the section %s: %w", s.Name, err)
	}
	return os.WriteFile(filepath.Join(dir, s.Name+".json"), append(text, '\n'), 0o644)
}

// Resume takes over what is saved in dir of an earlier run at the same commit, so that a comparison can be made in several.
func (s *Section) Resume(dir string) error {
	saved, err := loadSection(filepath.Join(dir, s.Name+".json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case saved.Machine.Commit == s.Machine.Commit:
		s.Raw = saved.Raw
	}
	return nil
}

func loadSection(path string) (*Section, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := new(Section)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return s, nil
}

// markdown writes the section; plots are in the folder named.
func (s *Section) markdown(w io.Writer, plots string) {
	m := &s.Machine
	fmt.Fprintf(w, "\n## %s\n\n", s.Title)
	fmt.Fprintf(w, "`%s`, commit %s, %s. %s, %d cores, %d GiB, Linux %s, %s.\n", s.Command, m.Commit, m.Taken.Format("2006-01-02 15:04 MST"),
		m.Processor, m.Cores, m.MemoryGiB, m.Kernel, m.Go)
	for _, paragraph := range s.Text {
		fmt.Fprintf(w, "\n%s\n", paragraph)
	}
	if len(s.Goals) > 0 {
		t := Table{Columns: []string{"goal", "wanted", "reached", ""}}
		for _, g := range s.Goals {
			t.Rows = append(t.Rows, []string{g.What, g.Want, g.Reached, map[bool]string{true: "met", false: "**missed**"}[g.Met]})
		}
		t.markdown(w)
	}
	for i := range s.Tables {
		s.Tables[i].markdown(w)
	}
	for i, c := range s.Charts {
		fmt.Fprintf(w, "\n![%s](%s/%s)\n", c.Title, plots, s.plot(i))
	}
	for i, g := range s.Growth {
		fmt.Fprintf(w, "\n![%s](%s/%s)\n", g.Title, plots, s.plot(len(s.Charts)+i))
	}
	if len(s.Notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, note := range s.Notes {
		fmt.Fprintf(w, "- %s\n", note)
	}
}

func (s *Section) plot(i int) string { return fmt.Sprintf("%s-%d.svg", s.Name, i+1) }

func (t *Table) markdown(w io.Writer) {
	fmt.Fprintln(w)
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
