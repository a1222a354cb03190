//go:build linux

package main

import "github.com/millrace/millrace/bench/measure"

// sections are the comparisons in the order of the report.
var sections = []string{"edge", "edge-kfake", "loader", "loader-kfake", "freshness", "growth", "skew", "console"}

type reportCommand struct {
	To string `help:"Folder for REPORT.md and its charts; by default that of the results."`
}

// Run writes the report.
func (r *reportCommand) Run(c *common) error {
	to := r.To
	if to == "" {
		to = c.Out
	}
	return measure.Assemble(c.Out, to, sections)
}
