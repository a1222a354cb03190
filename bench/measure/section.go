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
)

// Section is one comparison's section of the report.
type Section struct {
	Name       string // of its files
	Title      string
	Command    string // that measured it
	Machine    Machine
	Text       []string // paragraphs before the tables: what is compared, and how
	Goals      []Goal
	Tables     []Table
	BarCharts  []BarChart
	LineCharts []LineChart // after the bar charts
	Notes      []string    // at the end: settings, and contenders that did not run
	Raw        map[string][]Series
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

// Resume takes over the results in dir of an earlier run at the same commit, so that a comparison can be made in
// several runs.
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

// markdown writes the section. Links to charts point into the folder plots.
func (s *Section) markdown(w io.Writer, plots string) {
	m := &s.Machine
	fmt.Fprintf(w, "\n## %s\n\n", s.Title)
	fmt.Fprintf(w, "`%s`, commit %s, %s. %s, %d cores, %d GiB, Linux %s, %s.\n", s.Command, m.Commit,
		m.Taken.Format("2006-01-02 15:04 MST"), m.Processor, m.Cores, m.MemoryGiB, m.Kernel, m.Go)
	for _, paragraph := range s.Text {
		fmt.Fprintf(w, "\n%s\n", paragraph)
	}
	tables := s.Tables
	if len(s.Goals) > 0 {
		tables = append([]Table{goalTable(s.Goals)}, tables...)
	}
	for _, t := range tables {
		fmt.Fprintln(w)
		t.Markdown(w)
	}
	for i, c := range s.charts() {
		fmt.Fprintf(w, "\n![%s](%s/%s)\n", c.title(), plots, s.chartFile(i))
	}
	if len(s.Notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, note := range s.Notes {
		fmt.Fprintf(w, "- %s\n", note)
	}
}

// chart is a bar chart or a line chart.
type chart interface {
	title() string
	svg(w io.Writer)
}

func (s *Section) charts() (all []chart) {
	for i := range s.BarCharts {
		all = append(all, &s.BarCharts[i])
	}
	for i := range s.LineCharts {
		all = append(all, &s.LineCharts[i])
	}
	return all
}

func (s *Section) chartFile(i int) string { return fmt.Sprintf("%s-%d.svg", s.Name, i+1) }
