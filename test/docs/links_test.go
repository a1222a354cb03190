// Package docs checks the project's documents: links lead somewhere, and the words are those of the field.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

var (
	fence   = regexp.MustCompile("(?s)```.*?```")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	symbols = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// tracked returns the files that match the patterns, except files of others.
func tracked(t *testing.T, patterns ...string) []string {
	t.Helper()
	command := exec.Command("git", append([]string{"-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "--"}, patterns...)...)
	out, err := command.Output()
	require.NoError(t, err, "git lists the project's files")
	var files []string
	for _, file := range strings.Fields(string(out)) {
		if _, err := os.Stat(filepath.Join(root, file)); err == nil && !strings.Contains(file, "/assets/npm/") {
			files = append(files, file)
		}
	}
	require.NotEmpty(t, files)
	return files
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	require.NoError(t, err)
	return string(content)
}

func TestLinks_LeadToFilesAndHeadings(t *testing.T) {
	for _, page := range tracked(t, "*.md") {
		for _, found := range link.FindAllStringSubmatch(fence.ReplaceAllString(read(t, page), ""), -1) {
			target := found[1] + found[2]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path, anchor, _ := strings.Cut(target, "#")
			file := page
			if path != "" {
				file = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, target)
			} else if anchor != "" && strings.HasSuffix(file, ".md") && !hasAnchor(read(t, file), anchor) {
				t.Errorf("%s links to %s, but there is no such heading", page, target)
			}
		}
	}
}

// hasAnchor tells whether a heading of the page has the anchor that GitHub gives it.
func hasAnchor(page, anchor string) bool {
	for _, title := range heading.FindAllStringSubmatch(page, -1) {
		name := symbols.ReplaceAllString(strings.ToLower(strings.TrimSpace(title[1])), "")
		if strings.ReplaceAll(name, " ", "-") == anchor {
			return true
		}
	}
	return false
}
