package console

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// kept are the files of npm's packages that the console has, under the paths they have in node_modules.
var kept = []string{
	"htmx-ext-sse/LICENSE",
	"htmx-ext-sse/dist/sse.min.js",
	"htmx.org/LICENSE",
	"htmx.org/dist/htmx.min.js",
	"uplot/LICENSE",
	"uplot/dist/uPlot.iife.min.js",
	"uplot/dist/uPlot.min.css",
}

func TestAssetsAreWhatNpmGives(t *testing.T) {
	packages, err := npmPackages()
	require.NoError(t, err)
	dir := filepath.Join(assets, "npm")
	if *update {
		require.NoError(t, os.RemoveAll(dir))
		copyKept(t, packages, dir)
	}
	require.Empty(t, differences(t, dir, packages), `"make assets" fetches them anew`)
}

// Whoever changes, adds or removes a file is found out.
func TestTamperedAssetsAreNoticed(t *testing.T) {
	packages, err := npmPackages()
	require.NoError(t, err)
	dir := t.TempDir()
	copyKept(t, packages, dir)
	require.Empty(t, differences(t, dir, packages))

	content, err := os.ReadFile(filepath.Join(dir, kept[1]))
	require.NoError(t, err)
	content[len(content)/2] ^= 1
	require.NoError(t, os.WriteFile(filepath.Join(dir, kept[1]), content, 0o644))
	require.NoError(t, os.Remove(filepath.Join(dir, kept[2])))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "more.js"), nil, 0o644))
	require.Equal(t, []string{kept[1] + " is another", kept[2] + " is missing", "more.js is not npm's"}, differences(t, dir, packages))
}

func copyKept(t *testing.T, packages, dir string) {
	t.Helper()
	for _, file := range kept {
		content, err := os.ReadFile(filepath.Join(packages, file))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), content, 0o644))
	}
}

// differences are how what is in a folder differs from what is to be kept of the packages, byte for byte.
func differences(t *testing.T, dir, packages string) (found []string) {
	t.Helper()
	for _, file := range kept {
		want, err := os.ReadFile(filepath.Join(packages, file))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(dir, file))
		switch {
		case err != nil:
			found = append(found, file+" is missing")
		case !bytes.Equal(want, got):
			found = append(found, file+" is another")
		}
	}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := filepath.Rel(dir, path)
		if !slices.Contains(kept, filepath.ToSlash(file)) {
			found = append(found, file+" is not npm's")
		}
		return err
	}))
	return found
}

// strict is a policy that allows a page nothing but files of its own server: no script and no style in the page, no
// eval.
const strict = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"

// moderate is what htmx has to be told under such a policy. By itself it puts a style into the page.
const moderate = `<meta name="htmx-config" content='{"includeIndicatorStyles":false,"allowEval":false}'>`

// All that the console is made of does its work under a strict policy.
func TestScriptsWorkUnderAStrictPolicy(t *testing.T) {
	p := open(t, serveScripts(t, moderate).URL)
	p.click(named("button", "Ask"))
	p.sees("This was asked for.")
	p.sees("This was sent.")
	p.has(css("#chart canvas"))
	require.Empty(t, p.faults(narrowDark))
}

func TestHtmxHasToBeTold(t *testing.T) {
	p := open(t, serveScripts(t, "").URL)
	p.sees("This was sent.")
	p.complains("style-src-elem forbids inline")
	p.complains("Content Security Policy")
}

// serveScripts serves a page that uses htmx, its extension for events, and uPlot.
func serveScripts(t *testing.T, meta string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/npm/", http.FileServer(http.Dir(assets)))
	mux.HandleFunc("/asked", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "This was asked for.") })
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: This was sent.\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/page.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `new uPlot({width: 300, height: 200, series: [{}, {stroke: "red"}]}, [[1, 2, 3], [3, 1, 2]], document.getElementById("chart"))`)
	})
	return serve(t, mux, strict, meta+`<link rel="stylesheet" href="/npm/uplot/dist/uPlot.min.css">
		<script defer src="/npm/htmx.org/dist/htmx.min.js"></script>
		<script defer src="/npm/htmx-ext-sse/dist/sse.min.js"></script>
		<script defer src="/npm/uplot/dist/uPlot.iife.min.js"></script>
		<script defer src="/page.js"></script>`, `
		<button hx-get="/asked" hx-target="#asked">Ask</button><p id="asked"></p>
		<div hx-ext="sse" sse-connect="/events" sse-swap="message"></div>
		<div id="chart"></div>`)
}
