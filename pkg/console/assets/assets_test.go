package assets

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func get(method, path string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	Handler("/console/assets").ServeHTTP(answer, httptest.NewRequest(method, path, nil))
	return answer
}

func TestServedUnderHashedNames(t *testing.T) {
	for name, contentType := range map[string]string{
		"console.css":       "text/css; charset=utf-8",
		"console.js":        "text/javascript; charset=utf-8",
		"htmx.min.js":       "text/javascript; charset=utf-8",
		"sse.min.js":        "text/javascript; charset=utf-8",
		"uPlot.iife.min.js": "text/javascript; charset=utf-8",
		"uPlot.min.css":     "text/css; charset=utf-8",
	} {
		path := Path("/console/assets", name)
		answer := get(http.MethodGet, path)
		require.Equal(t, http.StatusOK, answer.Code, name)
		require.Equal(t, contentType, answer.Header().Get("Content-Type"), name)
		require.Equal(t, "public, max-age=31536000, immutable", answer.Header().Get("Cache-Control"), name)
		require.Equal(t, "nosniff", answer.Header().Get("X-Content-Type-Options"), name)

		sum := sha256.Sum256(answer.Body.Bytes())
		extension := name[strings.LastIndexByte(name, '.'):]
		require.Equal(t, "/console/assets/"+strings.TrimSuffix(name, extension)+"."+hex.EncodeToString(sum[:])[:12]+extension, path)

		head := get(http.MethodHead, path)
		require.Equal(t, http.StatusOK, head.Code, name)
		require.Empty(t, head.Body.Bytes(), name)
		require.Equal(t, http.StatusMethodNotAllowed, get(http.MethodPost, path).Code, name)
	}
	require.Len(t, byName, 6, "a file that is served has a line above")
}

func TestNothingElseIsServed(t *testing.T) {
	path := Path("/console/assets", "htmx.min.js")
	for _, wrong := range []string{
		"/console/assets/htmx.min.js",
		"/console/assets/htmx.min.000000000000.js",
		strings.TrimPrefix(path, "/console"),
		path + "/",
		"/console/assets/",
		"/console/assets/npm/uplot/LICENSE",
		"/console/assets/LICENSE",
	} {
		answer := get(http.MethodGet, wrong)
		require.Equal(t, http.StatusNotFound, answer.Code, wrong)
		require.Empty(t, answer.Header().Get("Cache-Control"), "that there is none yet is not to be kept: %s", wrong)
	}
	require.PanicsWithValue(t, "BUG: the console has no asset none.js", func() { Path("/console/assets", "none.js") })
}

// Whoever installs by the lock gets the same bytes, from whichever registry is theirs.
func TestPackagesArePinned(t *testing.T) {
	var manifest struct{ Dependencies, DevDependencies map[string]string }
	read(t, "package.json", &manifest)
	exact := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	for _, versions := range []map[string]string{manifest.Dependencies, manifest.DevDependencies} {
		require.NotEmpty(t, versions)
		for name, version := range versions {
			require.Regexp(t, exact, version, name)
		}
	}
	var lock struct {
		Packages map[string]struct{ Version, Integrity, Resolved string }
	}
	read(t, "package-lock.json", &lock)
	delete(lock.Packages, "") // what package.json says
	require.Len(t, lock.Packages, 4)
	for path, locked := range lock.Packages {
		require.True(t, strings.HasPrefix(locked.Integrity, "sha512-"), path)
		require.Empty(t, locked.Resolved, "%s names a registry", path)
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, into))
}
