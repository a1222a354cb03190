// Package clitest holds docs/configuration.md to the flags that there are.
package clitest

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/cli"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew; with -p 1, for all programs write into it")

// page is seen from a folder in cmd.
const page = "../../docs/configuration.md"

// HoldPage compares a program's part of the page with its flags.
func HoldPage(t *testing.T, flags any, name string) {
	t.Helper()
	content, err := os.ReadFile(page)
	require.NoError(t, err)
	begin, end := "<!-- "+name+": made by go test -p 1 ./cmd/... -update -->\n", "<!-- end of "+name+" -->\n"
	before, rest, found := strings.Cut(string(content), begin)
	require.True(t, found, "the page has no place for %s", name)
	is, after, found := strings.Cut(rest, end)
	require.True(t, found, "the page has no end of %s", name)
	want := "\n" + cli.Page(flags, name) + "\n"
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(before+begin+want+end+after), 0o644))
		return
	}
	require.Equal(t, want, is, "docs/configuration.md is out of date: go test -p 1 ./cmd/... -update")
}
